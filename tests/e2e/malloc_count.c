/* malloc_count.c - preloaded into a server: counts what it asks of libc's allocator, in the first
 * eight bytes of the file that MALLOC_COUNT_FILE names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own, behind the names this library takes. */
void *__libc_malloc(size_t len);
void *__libc_calloc(size_t n, size_t len);
void *__libc_realloc(void *mem, size_t len);
void *__libc_memalign(size_t alignment, size_t len);

static _Atomic(uint64_t) *counter;

__attribute__((constructor)) static void counter_map(void)
{
    const char *path = getenv("MALLOC_COUNT_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *mem = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) {
        close(fd);
    }
    counter = mem == MAP_FAILED ? NULL : mem;
}

static void count(void)
{
    if (counter != NULL) {
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    }
}

void *malloc(size_t len)
{
    count();
    return __libc_malloc(len);
}

void *calloc(size_t n, size_t len)
{
    count();
    return __libc_calloc(n, len);
}

void *realloc(void *mem, size_t len)
{
    count();
    return __libc_realloc(mem, len);
}

void *aligned_alloc(size_t alignment, size_t len)
{
    count();
    return __libc_memalign(alignment, len);
}

int posix_memalign(void **ret_mem, size_t alignment, size_t len)
{
    count();
    void *mem = __libc_memalign(alignment, len);
    if (mem == NULL) {
        return ENOMEM;
    }
    *ret_mem = mem;
    return 0;
}
