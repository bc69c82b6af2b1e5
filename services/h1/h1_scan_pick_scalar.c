/* h1_scan_pick_scalar.c - built where there is no faster table. */
#include "h1_scan.h"

const struct h1_scan *h1_scan_pick(void)
{
    return &h1_scan_scalar;
}
