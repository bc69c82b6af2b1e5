/* files_run.h - tests that are tables: each row is a test of its own (tcase_add_loop_test), and
 * says which one it is when it fails.
 */
#ifndef FILES_RUN_H
#define FILES_RUN_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "plexus.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof *(table)))

static inline struct px_text text_of(const char *text)
{
    return (struct px_text){text, strlen(text)};
}

static inline int suite_end(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
