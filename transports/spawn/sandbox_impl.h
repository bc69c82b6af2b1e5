/* sandbox_impl.h - what the parts of the sandbox share. */
#ifndef PX_SANDBOX_IMPL_H
#define PX_SANDBOX_IMPL_H

#include "sandbox.h"

/* Adds to the report; `number` < 0: none. */
void sandbox_say(struct sandbox_report *report, const char *what, int number);
/* Nobody may look into this process (sandbox_plain.c); under a sanitizer its own helper must
 * (sandbox_sanitized.c). */
void sandbox_not_dumpable(void);
/* System calls a sanitizer's run time makes besides; ends with -1. */
extern const int sandbox_extra_calls[];

#endif
