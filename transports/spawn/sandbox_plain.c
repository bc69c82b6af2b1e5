/* sandbox_plain.c - what is different without sanitizers. */
#include <sys/prctl.h>

#include "sandbox_impl.h"

const int sandbox_extra_calls[] = {-1};

void sandbox_not_dumpable(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
