/* h1_scan_pick_x86.c - built for x86-64 only. */
#include "h1_scan.h"

const struct h1_scan *h1_scan_pick(void)
{
    return &h1_scan_sse2;
}
