/* h1_accumulate.c - an unfinished head or trailer section, kept in one piece of memory that grows
 * with it: 512, 4096, 16384, 65536 bytes. What the parser refuses ends before that. */
#include "h1_conn.h"

static size_t cap_above(size_t cap)
{
    return cap < PX_BUF_SMALL    ? PX_BUF_SMALL
           : cap < PX_BUF_MEDIUM ? PX_BUF_MEDIUM
           : cap < PX_BUF_LARGE  ? PX_BUF_LARGE
                                 : PX_BUF_HUGE;
}

size_t h1_acc_put(struct h1 *h1, struct h1_work *w, const uint8_t *ptr, size_t len)
{
    size_t cap = w->acc == NULL ? 0 : px_buf_cap(w->acc);
    if (w->acc_len == cap) {
        while (cap < PX_BUF_HUGE && cap <= w->acc_len + len / 2) {
            cap = cap_above(cap); /* room for half of it at once: one copy less for a long head */
        }
        struct px_buf *more = cap == w->acc_len ? NULL : px_buf_new(h1->env, cap);
        if (more == NULL) {
            return 0;
        }
        if (w->acc_len > 0) {
            memcpy(px_buf_data(more), px_buf_data(w->acc), w->acc_len);
        }
        px_buf_put(w->acc);
        w->acc = more;
    }
    size_t room = cap - w->acc_len;
    size_t n = len < room ? len : room;
    memcpy(px_buf_data(w->acc) + w->acc_len, ptr, n);
    w->acc_len += (uint32_t)n;
    return n;
}

struct px_bytes h1_acc_bytes(const struct h1_work *w)
{
    return px_bytes_of(px_buf_data(w->acc), w->acc_len);
}

void h1_acc_drop(struct h1_work *w)
{
    px_buf_put(w->acc);
    w->acc = NULL;
    w->acc_len = 0;
    w->resume = (struct h1_resume){0};
}
