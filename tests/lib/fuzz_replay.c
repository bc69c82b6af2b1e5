/* fuzz_replay.c - main of a fuzz target in an ordinary build: runs it on every file below the
 * folders (or files) it is given, and on every beginning of each, so that what once broke a parser
 * is tried again in every test run. Fails when there was nothing to run. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { CUTS_MAX = 512 }; /* beginnings tried of one file */

static size_t n_inputs;

/* Runs the target on the first `len` bytes, in memory just as long: overreads are seen. */
static void beginning_run(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len + (len == 0));
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
    n_inputs++;
}

static int input_run(const char *path, size_t len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(len + (len == 0));
    int failed = file == NULL || data == NULL || fread(data, 1, len, file) != len;
    if (failed) {
        perror(path);
    } else {
        beginning_run(data, len);
        for (size_t cut = 0; cut < len && cut < CUTS_MAX; cut++) {
            beginning_run(data, cut);
        }
    }
    free(data);
    if (file != NULL) {
        fclose(file);
    }
    return failed;
}

static int path_run(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(st.st_mode)) {
        return input_run(path, (size_t)st.st_size);
    }
    DIR *dir = opendir(path);
    if (dir == NULL) {
        perror(path);
        return 1;
    }
    int failed = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char below[PATH_MAX];
        if (entry->d_name[0] != '.' &&
            snprintf(below, sizeof below, "%s/%s", path, entry->d_name) < (int)sizeof below) {
            failed |= path_run(below);
        }
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= path_run(argv[i]);
    }
    printf("%zu inputs\n", n_inputs);
    return failed || n_inputs == 0;
}
