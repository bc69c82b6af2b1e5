/* replay_main.c - runs a fuzz target on every file of the folders named, and on every beginning of
 * each file, where there is no fuzzer to do it. Prints how many inputs there were; fails when there
 * was none. */
#define _DEFAULT_SOURCE /* readdir */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LEN_MAX = 4096, FILE_LEN_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t n_files;
static size_t n_inputs;

/* In memory that ends where the input does, so that a sanitizer sees who reads on. */
static void input_run(const uint8_t *data, size_t len)
{
    uint8_t *exact = malloc(len + (len == 0));
    if (exact == NULL) {
        abort();
    }
    if (len > 0) {
        memcpy(exact, data, len);
    }
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    n_inputs++;
}

static int file_run(const char *path)
{
    static uint8_t data[FILE_LEN_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t len = fread(data, 1, sizeof data, file);
    fclose(file);
    n_files++;
    for (size_t part = 0; part <= len; part++) {
        input_run(data, part);
    }
    return 0;
}

static int folder_run(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        perror(path);
        return 1;
    }
    int failed = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char file[PATH_LEN_MAX];
        int len = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.') {
            failed |= len < (int)sizeof file ? file_run(file) : 1;
        }
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= folder_run(argv[i]);
    }
    printf("%zu files, %zu inputs\n", n_files, n_inputs);
    return failed != 0 || n_files == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
