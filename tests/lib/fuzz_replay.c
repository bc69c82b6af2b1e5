/* fuzz_replay.c - main of a fuzz target in an ordinary build: runs it on every file below the
 * folders (or files) it is given, so that what once broke a parser is tried again in every test
 * run. Fails when there was nothing to run. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t n_inputs;

static int input_run(const char *path, size_t len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(len + (len == 0)); /* exactly as long as the input: overreads are seen */
    int failed = file == NULL || data == NULL || fread(data, 1, len, file) != len;
    if (failed) {
        perror(path);
    } else {
        LLVMFuzzerTestOneInput(data, len);
        n_inputs++;
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
