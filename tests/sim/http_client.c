/* http_client.c - see http_client.h. */
#include "http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

/* ---- asking ---- */

static void bytes_add(struct client *c, const void *data, size_t len)
{
    if (c->len + len > c->cap) {
        c->cap = (c->len + len) * 2;
        c->bytes = realloc(c->bytes, c->cap);
        if (c->bytes == NULL) {
            abort();
        }
    }
    memcpy(c->bytes + c->len, data, len);
    c->len += len;
}

static void text_add(struct client *c, const char *text)
{
    bytes_add(c, text, strlen(text));
}

static void body_add(struct client *c, struct request *r)
{
    uint8_t body[REQUEST_LEN_MAX];
    r->sum = 2166136261u;
    for (uint32_t i = 0; i < r->len; i++) {
        body[i] = app_byte(r->id + 7, i);
        r->sum = app_sum(r->sum, body[i]);
    }
    if (!r->chunked) {
        bytes_add(c, body, r->len);
        return;
    }
    for (uint32_t at = 0; at < r->len;) {
        char line[16];
        uint32_t n = 1 + px_sim_below(c->sim, 3000);
        n = n < r->len - at ? n : r->len - at;
        snprintf(line, sizeof line, "%x\r\n", n);
        text_add(c, line);
        bytes_add(c, body + at, n);
        text_add(c, "\r\n");
        at += n;
    }
    text_add(c, px_sim_chance(c->sim, 300) ? "0\r\nx-end: yes\r\n\r\n" : "0\r\n\r\n");
}

static void request_add(struct client *c, struct request *r, bool close)
{
    char head[256];
    r->has_body = r->mode == 'u' || r->mode == 'e';
    snprintf(head, sizeof head, "%s /%c/%u/%u/%u HTTP/1.1\r\nHost: a.example\r\n%s",
             r->has_body ? "POST"
             : r->head   ? "HEAD"
                         : "GET",
             r->mode, r->id, r->len, r->ms, close ? "Connection: close\r\n" : "");
    text_add(c, head);
    if (r->has_body && r->chunked) {
        text_add(c, "Transfer-Encoding: chunked\r\n");
    } else if (r->has_body) {
        snprintf(head, sizeof head, "Content-Length: %u\r\n", r->len);
        text_add(c, head);
    }
    text_add(c, "\r\n");
    if (r->has_body) {
        body_add(c, r);
    }
    r->end = c->len;
}

static struct request request_of(struct px_sim *sim, uint32_t id)
{
    static const char modes[] = "nnnnnllllssssccccuuuuuueexv";
    struct request r = {.id = id, .mode = modes[px_sim_below(sim, sizeof modes - 1)]};
    static const uint32_t lens[] = {1, 30, 700, 5000, 16384};
    r.len = px_sim_below(sim, lens[px_sim_below(sim, 5)] + 1);
    if ((r.mode == 's' || r.mode == 'c' || r.mode == 'u') && px_sim_chance(sim, 200)) {
        r.len = px_sim_below(sim, REQUEST_LEN_MAX);
    }
    r.ms = px_sim_below(sim, 2000);
    r.head = r.mode != 'u' && r.mode != 'e' && px_sim_chance(sim, 100);
    r.chunked = px_sim_chance(sim, 500);
    return r;
}

/* Answers behind these are not promised: the connection ends, hangs, or may not be worth draining.
 */
static bool ends_certainty(const struct request *r)
{
    return r->mode == 'x' || r->mode == 'v' || r->mode == 'e';
}

void client_plan(struct client *c, struct px_sim *sim, uint32_t first_id)
{
    *c = (struct client){.sim = sim, .n_requests = 1 + px_sim_below(sim, REQUESTS_MAX)};
    bool sure = true, close = px_sim_chance(sim, 300);
    for (uint32_t i = 0; i < c->n_requests; i++) {
        struct request *r = &c->requests[i];
        *r = request_of(sim, first_id + i);
        c->n_sure += sure && r->mode != 'x' && r->mode != 'v';
        sure = sure && !ends_certainty(r);
        request_add(c, r, close && i + 1 == c->n_requests);
    }
    c->fin = px_sim_chance(sim, 400);
}

void client_plan_one(struct client *c, struct px_sim *sim, char mode, uint32_t id, uint32_t len)
{
    *c = (struct client){.sim = sim, .n_requests = 1, .n_sure = 1, .fin = true};
    c->requests[0] = (struct request){.mode = mode, .id = id, .len = len};
    request_add(c, &c->requests[0], true);
}

void client_done(struct client *c)
{
    free(c->bytes);
}

void client_write(struct client *c, uint32_t burst, uint32_t n)
{
    size_t from = c->len * burst / n, to = c->len * (burst + 1) / n;
    px_sim_peer_write(c->peer, c->bytes + from, to - from);
    if (burst + 1 == n && c->fin) {
        px_sim_peer_fin(c->peer);
    }
}

/* ---- what came back ---- */

struct reader {
    struct client *c;
    const uint8_t *at;
    size_t left;
    const struct request *r;
    bool own; /* it has x-id: the application said it */
    bool chunked, bodyless, close;
    uint64_t length;
    unsigned status;
    uint64_t body; /* bytes of the body seen */
    char text[64]; /* the beginning of it */
};

#define must(rd, cond, ...) sim_require((rd)->c->sim, cond, __VA_ARGS__)

/* Takes a line without its CRLF; false: it is not all there. */
static bool line_take(struct reader *rd, char *ret, size_t cap)
{
    const uint8_t *end = memchr(rd->at, '\n', rd->left);
    if (end == NULL) {
        return false;
    }
    size_t len = (size_t)(end - rd->at);
    must(rd, len >= 1 && rd->at[len - 1] == '\r' && len < cap, "a line of %zu bytes: %.*s", len,
         (int)(len < 60 ? len : 60), (const char *)rd->at);
    memcpy(ret, rd->at, len - 1);
    ret[len - 1] = '\0';
    rd->at += len + 1;
    rd->left -= len + 1;
    return true;
}

static void field_read(struct reader *rd, const char *line)
{
    unsigned id;
    unsigned long long length;
    if (sscanf(line, "x-id: %u", &id) == 1) {
        rd->own = true;
        must(rd, rd->r != NULL && id == rd->r->id, "an answer to %u where %u is due", id,
             rd->r == NULL ? 0 : rd->r->id);
    } else if (sscanf(line, "content-length: %llu", &length) == 1) {
        rd->length = length;
    } else if (strcmp(line, "transfer-encoding: chunked") == 0) {
        rd->chunked = true;
    } else if (strcmp(line, "connection: close") == 0) {
        rd->close = true;
    }
}

/* Names in lower case, so that one spelling is compared. */
static void line_lower(char *line)
{
    for (; *line != '\0' && *line != ':'; line++) {
        *line = *line >= 'A' && *line <= 'Z' ? (char)(*line + 32) : *line;
    }
}

/* False: the head is not all there. */
static bool head_read(struct reader *rd)
{
    char line[1024];
    rd->own = rd->chunked = rd->close = false;
    rd->length = 0;
    rd->body = 0;
    if (!line_take(rd, line, sizeof line)) {
        return false;
    }
    must(rd, sscanf(line, "HTTP/1.1 %3u ", &rd->status) == 1, "not a status line: %s", line);
    do {
        if (!line_take(rd, line, sizeof line)) {
            return false;
        }
        line_lower(line);
        field_read(rd, line);
    } while (line[0] != '\0');
    rd->bodyless = rd->status < 200 || rd->status == 204 || rd->status == 304 ||
                   (rd->r != NULL && rd->r->head);
    return true;
}

static void body_take(struct reader *rd, size_t len)
{
    const struct request *r = rd->r;
    for (size_t i = 0; i < len; i++, rd->body++) {
        if (rd->body < sizeof rd->text - 1) {
            rd->text[rd->body] = (char)rd->at[i];
            rd->text[rd->body + 1] = '\0';
        }
        if (rd->own && r->mode != 'u') {
            must(rd, rd->at[i] == app_byte(r->id, rd->body),
                 "byte %llu of the answer to %u is wrong", (unsigned long long)rd->body, r->id);
        }
    }
    rd->at += len;
    rd->left -= len;
}

/* False: it is not all there. */
static bool chunks_read(struct reader *rd)
{
    char line[1024];
    unsigned len;
    for (;;) {
        if (!line_take(rd, line, sizeof line)) {
            return false;
        }
        must(rd, sscanf(line, "%x", &len) == 1, "not a chunk size: %s", line);
        if (len == 0) {
            break;
        }
        size_t n = len < rd->left ? len : rd->left;
        body_take(rd, n);
        if (n < len || !line_take(rd, line, sizeof line)) {
            return false;
        }
        must(rd, line[0] == '\0', "no CRLF behind a chunk: %s", line);
    }
    do {
        if (!line_take(rd, line, sizeof line)) {
            return false;
        }
    } while (line[0] != '\0');
    return true;
}

static bool body_read(struct reader *rd)
{
    if (rd->bodyless) {
        return true;
    }
    if (rd->chunked) {
        return chunks_read(rd);
    }
    size_t n = rd->length < rd->left ? (size_t)rd->length : rd->left;
    body_take(rd, n);
    return n == rd->length;
}

/* A whole answer of the application says what it must. */
static void answer_check(struct reader *rd)
{
    const struct request *r = rd->r;
    char want[64];
    if (!rd->own || rd->bodyless) {
        return;
    }
    if (r->mode == 'u') {
        snprintf(want, sizeof want, "%u %u", r->len, r->sum);
        must(rd, strcmp(rd->text, want) == 0, "upload %u was answered \"%s\", not \"%s\"", r->id,
             rd->text, want);
    } else {
        must(rd, rd->body == r->len, "%llu bytes answer request %u, not %u",
             (unsigned long long)rd->body, r->id, r->len);
    }
}

uint32_t client_check(struct client *c, bool all)
{
    struct reader rd = {.c = c};
    uint32_t n = 0, n_own = 0;
    bool closed = false;
    rd.at = px_sim_peer_data(c->peer, &rd.left);
    while (rd.left > 0) {
        rd.r = n < c->n_requests ? &c->requests[n] : NULL;
        must(&rd, !closed, "bytes behind an answer with close: %.*s",
             (int)(rd.left < 80 ? rd.left : 80), (const char *)rd.at);
        if (!head_read(&rd)) {
            break;
        }
        if (rd.status < 200) {
            continue;
        }
        must(&rd, rd.r != NULL, "more answers than requests (%u)", c->n_requests);
        if (!body_read(&rd)) {
            break;
        }
        answer_check(&rd);
        closed = rd.close;
        n_own += rd.own;
        must(&rd, rd.own || !all || n >= c->n_sure, "request %u (%c) was answered %u by h1 itself",
             rd.r->id, rd.r->mode, rd.status);
        n++;
    }
    if (all) {
        must(&rd, n_own >= c->n_sure, "%u of %u answers came (status %s)", n_own, c->n_sure,
             px_status_name(px_sim_peer_status(c->peer)));
    }
    return n_own;
}
