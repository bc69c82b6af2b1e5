/* assert.h - for mistakes of our own, on in release builds too. Never for what a peer can cause.
 */
#ifndef PX_ASSERT_H
#define PX_ASSERT_H

#ifdef __cplusplus
extern "C" {
#endif

/* Prints the failed expression through the log sink of the kernel running on this thread, dumps its
 * trace ring there, and ends the process. */
__attribute__((noreturn)) void px_assert_fail(const char *expr, const char *file, int line);

/* `cond` must be true, or px_assert_fail. Costs a branch; its text stays in release builds. */
#define PX_ASSERT(cond)                                                                            \
    (__builtin_expect(!!(cond), 1) ? (void)0 : px_assert_fail(#cond, __FILE__, __LINE__))

#ifdef __cplusplus
}
#endif

#endif
