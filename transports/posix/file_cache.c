/* file_cache.c - a table by name, and two lines from the newest to the oldest: of files that are
 * open, and of small ones whose bytes are kept instead.
 */
#include "file_cache.h"

#include <fcntl.h>
#include <px/kernel.h>
#include <string.h>
#include <unistd.h>

#include "posix_loop.h"

enum { NS_PER_S = 1000000000, NS_PER_US = 1000 };

enum px_err file_cache_init(struct file_cache *cache, struct px_env *env, uint32_t open_max,
                            uint64_t keep_us, uint64_t memory_max)
{
    uint32_t n_buckets = 16;
    while (n_buckets < open_max) {
        n_buckets *= 2;
    }
    cache->env = env;
    cache->os = posix_of(env);
    cache->open_max = open_max;
    cache->keep_us = keep_us;
    cache->memory_max = memory_max;
    cache->bucket_mask = n_buckets - 1;
    cache->bucket_memory = px_buf_new(env, n_buckets * sizeof(struct open_file *));
    if (cache->bucket_memory == NULL) {
        return PX_ENOMEM;
    }
    cache->buckets = (struct open_file **)(void *)px_buf_data(cache->bucket_memory);
    memset(cache->buckets, 0, n_buckets * sizeof(struct open_file *));
    return px_pool_init(&cache->files, env, sizeof(struct open_file), open_max, 0);
}

struct file_stamp file_stamp_of(const struct stat *st)
{
    return (struct file_stamp){
        .promise = {.device = st->st_dev,
                    .inode = st->st_ino,
                    .length = (uint64_t)st->st_size,
                    .modified_ns = (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec},
        .changed_ns = (int64_t)st->st_ctim.tv_sec * NS_PER_S + st->st_ctim.tv_nsec,
    };
}

static bool stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    const struct posix_promise *p = &a->promise, *q = &b->promise;
    return p->device == q->device && p->inode == q->inode && p->length == q->length &&
           p->modified_ns == q->modified_ns && a->changed_ns == b->changed_ns;
}

/* ---- the lines ---- */

static struct file_line *line_of(struct file_cache *cache, const struct open_file *o)
{
    return o->buf != NULL ? &cache->open : &cache->closed;
}

static void line_leave(struct file_line *line, struct open_file *o)
{
    *(o->newer != NULL ? &o->newer->older : &line->newest) = o->older;
    *(o->older != NULL ? &o->older->newer : &line->oldest) = o->newer;
    line->n--;
}

static void line_join(struct file_line *line, struct open_file *o)
{
    o->newer = NULL;
    o->older = line->newest;
    *(o->older != NULL ? &o->older->newer : &line->oldest) = o;
    line->newest = o;
    line->n++;
}

static void touch(struct file_cache *cache, struct open_file *o)
{
    struct file_line *line = line_of(cache, o);
    o->used_us = px_now_us(cache->env);
    line_leave(line, o);
    line_join(line, o);
}

static uint32_t n_files(const struct file_cache *cache)
{
    return cache->open.n + cache->closed.n;
}

/* ---- the table ---- */

/* FNV-1a */
static uint32_t hash_of(const struct file_place *place)
{
    uint32_t hash = 2166136261u ^ place->root;
    for (size_t i = 0; i < place->path_len; i++) {
        hash = (hash ^ (unsigned char)place->path[i]) * 16777619u;
    }
    return hash ^ hash >> 15;
}

static void unname(struct file_cache *cache, struct open_file *o)
{
    struct open_file **at = &cache->buckets[o->hash & cache->bucket_mask];
    if (o->named) {
        while (*at != o) {
            at = &(*at)->same_bucket;
        }
        *at = o->same_bucket;
        o->named = false;
    }
    if (o->bytes != NULL) {
        cache->memory -= px_buf_cap(o->bytes);
        px_buf_put(o->bytes);
        o->bytes = NULL;
    }
}

static void name(struct file_cache *cache, struct open_file *o, const struct file_place *place)
{
    o->named = place->path_len <= FILE_CACHE_PATH_MAX;
    if (o->named) {
        o->root = place->root;
        o->hash = hash_of(place);
        o->path_len = (uint16_t)place->path_len;
        memcpy(o->path, place->path, place->path_len);
        o->same_bucket = cache->buckets[o->hash & cache->bucket_mask];
        cache->buckets[o->hash & cache->bucket_mask] = o;
    }
}

static struct open_file *named(const struct file_cache *cache, const struct file_place *place)
{
    uint32_t hash = hash_of(place);
    struct open_file *o = cache->buckets[hash & cache->bucket_mask];
    while (o != NULL &&
           (o->hash != hash || o->root != place->root || o->path_len != place->path_len ||
            memcmp(o->path, place->path, place->path_len) != 0)) {
        o = o->same_bucket;
    }
    return o;
}

/* ---- closing ---- */

static bool is_unused(const struct open_file *o)
{
    return !o->pinned && (o->buf == NULL || px_buf_unique(o->buf));
}

/* Lets go of the descriptor; what others have of it stays open. */
static void put_descriptor(struct file_cache *cache, struct open_file *o)
{
    if (o->buf != NULL) {
        posix_promise_drop(cache->os, px_buf_fd(o->buf));
        px_buf_put(o->buf);
        o->buf = NULL;
    }
}

static void close_file(struct file_cache *cache, struct open_file *o)
{
    unname(cache, o);
    line_leave(line_of(cache, o), o);
    put_descriptor(cache, o);
    px_pool_put(&cache->files, o);
}

/* Its name means another file by now. What is in use stays, to be counted and closed in its time.
 */
static void forget(struct file_cache *cache, struct open_file *o)
{
    if (is_unused(o)) {
        close_file(cache, o);
    } else {
        unname(cache, o);
    }
}

/* Closes a file, or makes it the newest because it is in use. True: it was closed. */
static bool close_or_touch(struct file_cache *cache, struct open_file *o)
{
    if (is_unused(o)) {
        close_file(cache, o);
        return true;
    }
    touch(cache, o);
    return false;
}

static void sweep(struct file_cache *cache, struct file_line *line)
{
    uint64_t now_us = px_now_us(cache->env);
    for (uint32_t i = line->n; i > 0 && line->oldest->used_us + cache->keep_us <= now_us; i--) {
        (void)close_or_touch(cache, line->oldest);
    }
}

static void on_sweep(struct px_sul *sul)
{
    struct file_cache *cache = px_container_of(sul, struct file_cache, sweep);
    sweep(cache, &cache->open);
    sweep(cache, &cache->closed);
    if (n_files(cache) > 0) {
        px_sul_schedule(cache->env, sul, on_sweep, FILE_CACHE_SWEEP_US);
    }
}

static struct open_file *oldest(const struct file_cache *cache)
{
    struct open_file *a = cache->open.oldest, *b = cache->closed.oldest;
    return b == NULL || (a != NULL && a->used_us < b->used_us) ? a : b;
}

bool file_cache_has_room(struct file_cache *cache)
{
    for (uint32_t i = 0; i < FILE_CACHE_TRIM_EACH && cache->open.n >= FILE_CACHE_KEPT_MAX; i++) {
        (void)close_or_touch(cache, cache->open.oldest);
    }
    for (uint32_t i = n_files(cache); i > 0 && n_files(cache) >= cache->open_max; i--) {
        (void)close_or_touch(cache, oldest(cache));
    }
    return n_files(cache) < cache->open_max;
}

bool file_cache_close_unused(struct file_cache *cache)
{
    bool any = false;
    for (uint32_t i = cache->open.n; i > 0; i--) {
        any = close_or_touch(cache, cache->open.oldest) || any;
    }
    return any;
}

/* ---- finding ---- */

struct open_file *file_cache_find(struct file_cache *cache, const struct file_place *place,
                                  uint64_t read_max)
{
    struct stat st;
    struct open_file *o = named(cache, place);
    if (o == NULL) {
        return NULL;
    }
    /* It may lead anywhere by now, also outside: then it is another file than ours. */
    bool same = fstatat(place->dir, place->path, &st, 0) == 0;
    if (same) {
        struct file_stamp stamp = file_stamp_of(&st);
        same = stamp_equal(&stamp, &o->stamp);
    }
    if (!same || (o->buf == NULL && o->stamp.promise.length > read_max)) {
        forget(cache, o);
        return NULL;
    }
    touch(cache, o);
    return o;
}

static void forget_root(struct file_cache *cache, struct file_line *line, uint32_t root)
{
    struct open_file *next = NULL;
    for (struct open_file *o = line->newest; o != NULL; o = next) {
        next = o->older;
        if (o->named && o->root == root) {
            forget(cache, o);
        }
    }
}

void file_cache_forget_root(struct file_cache *cache, uint32_t root)
{
    forget_root(cache, &cache->open, root);
    forget_root(cache, &cache->closed, root);
}

/* ---- opening ---- */

static void close_fd(int fd)
{
    (void)close(fd);
}

struct open_file *file_cache_add(struct file_cache *cache, const struct file_place *place,
                                 int take_fd, const struct stat *st)
{
    struct open_file *o = px_pool_get(&cache->files);
    struct px_buf *buf = o == NULL ? NULL : px_buf_from_fd(cache->env, take_fd, close_fd);
    if (buf == NULL) {
        px_pool_put(&cache->files, o);
        close_fd(take_fd);
        return NULL;
    }
    o->buf = buf;
    o->stamp = file_stamp_of(st);
    posix_promise_note(cache->os, take_fd, &o->stamp.promise);
    name(cache, o, place);
    o->used_us = px_now_us(cache->env);
    line_join(&cache->open, o);
    if (!px_sul_pending(&cache->sweep)) {
        px_sul_schedule(cache->env, &cache->sweep, on_sweep, FILE_CACHE_SWEEP_US);
    }
    return o;
}

void file_cache_keep_bytes(struct file_cache *cache, struct open_file *o, struct px_buf *take_bytes)
{
    int64_t now_ns = px_wall_us(cache->env) * NS_PER_US;
    int64_t modified_ns = o->stamp.promise.modified_ns;
    int64_t last_ns = o->stamp.changed_ns > modified_ns ? o->stamp.changed_ns : modified_ns;
    if (o->named && now_ns - last_ns > FILE_CACHE_SETTLED_NS &&
        px_buf_cap(take_bytes) <= cache->memory_max - cache->memory) {
        o->bytes = take_bytes;
        cache->memory += px_buf_cap(take_bytes);
        if (px_buf_unique(o->buf)) { /* nobody needs the descriptor any more */
            line_leave(&cache->open, o);
            put_descriptor(cache, o);
            line_join(&cache->closed, o);
        }
    } else {
        px_buf_put(take_bytes);
    }
}
