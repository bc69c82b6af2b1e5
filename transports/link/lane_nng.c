/* lane_nng.c - the carrier that is a pair1 socket of libnng. The socket of the lane stays: its end
 * is the end of the lane.
 *
 * Sends never wait: no more than CREDIT link messages are under way, and the socket has room for
 * all of them. The far end says with an empty message that it has taken CREDIT / 2 more; such a
 * message is not counted. What waits for credit goes out together.
 */
#include "lane_impl.h"

#include <nng/nng.h>
#include <nng/protocol/pair1/pair.h>
#include <nng/transport/ipc/ipc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CREDIT = 32,      /* link messages that the far end has not taken */
    SEND_ROOM = 64,   /* of the socket, in messages: CREDIT and what is not counted */
    RECEIVE_ROOM = 4, /* the same; each may be as long as MESSAGE_MAX */
    MESSAGE_MAX = PX_FRAME_LEN_MAX + LANE_BATCH_MAX + LANE_MESSAGE_HEAD,
    HOLD_FRAMES = 512, /* a message of nng costs much, whatever is in it */
    HOLD_TURNS = 64,
    RECONNECT_MS = 10,
    PATH_MAX_LEN = 100, /* a unix socket has 108 */
};

struct px_pair {
    nng_socket socket;
    bool listens, is_open;
    uid_t client;
    int bell;                  /* rung when the process that counts has gone */
    int lane_inbox, lane_bell; /* copies for the next lane: a confined process makes none later */
    _Atomic uint32_t pid, pipe;
    _Atomic bool lost;
    char folder[PATH_MAX_LEN], path[PATH_MAX_LEN], url[PATH_MAX_LEN + 8];
};

/* ---- who is there: called from threads of libnng ---- */

static bool is_expected(const struct px_pair *pair, nng_pipe pipe)
{
    uint64_t pid = 0, uid = UINT64_MAX;
    return nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &pid) == 0 &&
           nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) == 0 && pid != 0 &&
           pid == atomic_load(&pair->pid) && (uid == pair->client || uid == geteuid());
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct px_pair *pair = arg;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    if (event == NNG_PIPE_EV_ADD_PRE) {
        if (pair->listens && !is_expected(pair, pipe)) {
            nng_pipe_close(pipe);
            return;
        }
        atomic_store(&pair->pipe, id);
    } else if (event == NNG_PIPE_EV_REM_POST && atomic_load(&pair->pipe) == id) {
        atomic_store(&pair->lost, true);
        px_bell_ring(pair->bell);
    }
}

/* ---- pairs ---- */

bool px_pair_is_built(void)
{
    return true;
}

static bool socket_set(struct px_pair *pair)
{
    return nng_pipe_notify(pair->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, pair) == 0 &&
           nng_pipe_notify(pair->socket, NNG_PIPE_EV_REM_POST, on_pipe, pair) == 0 &&
           nng_socket_set_size(pair->socket, NNG_OPT_RECVMAXSZ, MESSAGE_MAX) == 0 &&
           nng_socket_set_int(pair->socket, NNG_OPT_RECVBUF, RECEIVE_ROOM) == 0 &&
           nng_socket_set_int(pair->socket, NNG_OPT_SENDBUF, SEND_ROOM) == 0 &&
           nng_socket_set_ms(pair->socket, NNG_OPT_RECONNMINT, RECONNECT_MS) == 0;
}

static bool copies_make(struct px_pair *pair)
{
    int inbox = -1;
    if (nng_socket_get_int(pair->socket, NNG_OPT_RECVFD, &inbox) != 0) {
        return false;
    }
    pair->lane_inbox = pair->lane_inbox < 0 ? dup(inbox) : pair->lane_inbox;
    pair->lane_bell = pair->lane_bell < 0 ? dup(pair->bell) : pair->lane_bell;
    return pair->lane_inbox >= 0 && pair->lane_bell >= 0;
}

/* Threads of libnng are made on the first use of it; they are to take no signal of the program's.
 */
static bool socket_open(struct px_pair *pair)
{
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    pair->is_open = nng_pair1_open(&pair->socket) == 0;
    bool done = pair->is_open && socket_set(pair) && copies_make(pair);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return done;
}

static enum px_err pair_new(struct px_pair **ret_pair)
{
    struct px_pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL) {
        return PX_ENOMEM;
    }
    pair->lane_inbox = pair->lane_bell = -1;
    pair->bell = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pair->bell < 0 || !socket_open(pair)) {
        px_pair_free(pair);
        return PX_EIO;
    }
    *ret_pair = pair;
    return PX_EOK;
}

static bool path_make(struct px_pair *pair)
{
    const char *base = geteuid() == 0 ? NULL : getenv("XDG_RUNTIME_DIR");
    int n = snprintf(pair->folder, sizeof pair->folder, "%s/plexus-lane-XXXXXX",
                     base == NULL ? "/tmp" : base);
    if (n < 0 || n > (int)sizeof pair->folder - 4 || mkdtemp(pair->folder) == NULL) {
        pair->folder[0] = '\0';
        return false;
    }
    snprintf(pair->path, sizeof pair->path, "%.*s/s", n, pair->folder);
    snprintf(pair->url, sizeof pair->url, "ipc://%s", pair->path);
    return true;
}

/* Only `client` gets through, and only with the right process id. */
static bool pair_listen(struct px_pair *pair)
{
    nng_listener listener;
    bool listening = nng_listener_create(&listener, pair->socket, pair->url) == 0 &&
                     nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, 0600) == 0 &&
                     nng_listener_start(listener, 0) == 0;
    if (!listening || geteuid() != 0) {
        return listening;
    }
    return chown(pair->path, pair->client, (gid_t)-1) == 0 && chmod(pair->folder, 0711) == 0;
}

enum px_err px_pair_listen(uid_t client, struct px_pair **ret_pair)
{
    struct px_pair *pair = NULL;
    PX_TRY(pair_new(&pair));
    pair->listens = true;
    pair->client = client;
    if (!path_make(pair) || !pair_listen(pair)) {
        px_pair_free(pair);
        return PX_EIO;
    }
    *ret_pair = pair;
    return PX_EOK;
}

const char *px_pair_path(const struct px_pair *pair)
{
    return pair->path;
}

void px_pair_expect(struct px_pair *pair, pid_t pid)
{
    nng_msg *msg = NULL;
    nng_pipe old = {.id = atomic_exchange(&pair->pipe, 0)};
    atomic_store(&pair->pid, (uint32_t)pid);
    if (old.id != 0) {
        (void)nng_pipe_close(old);
    }
    (void)nng_socket_set_int(pair->socket, NNG_OPT_SENDBUF, 0); /* drops what waits */
    (void)nng_socket_set_int(pair->socket, NNG_OPT_SENDBUF, SEND_ROOM);
    while (nng_recvmsg(pair->socket, &msg, NNG_FLAG_NONBLOCK) == 0) {
        nng_msg_free(msg);
    }
    atomic_store(&pair->lost, false);
    (void)copies_make(pair); /* a lane without them is refused */
}

enum px_err px_pair_dial(const char *path, struct px_pair **ret_pair)
{
    struct px_pair *pair = NULL;
    PX_TRY(pair_new(&pair));
    int n = snprintf(pair->url, sizeof pair->url, "ipc://%s", path);
    if (n < 0 || n >= (int)sizeof pair->url || nng_dial(pair->socket, pair->url, NULL, 0) != 0) {
        px_pair_free(pair);
        return PX_EIO;
    }
    *ret_pair = pair;
    return PX_EOK;
}

void px_pair_free(struct px_pair *take_pair)
{
    if (take_pair == NULL) {
        return;
    }
    if (take_pair->is_open) {
        (void)nng_close(take_pair->socket);
    }
    if (take_pair->folder[0] != '\0') {
        (void)unlink(take_pair->path);
        (void)rmdir(take_pair->folder);
    }
    int fds[PX_RING_FDS] = {take_pair->bell, take_pair->lane_inbox, take_pair->lane_bell};
    px_rings_close(fds);
    free(take_pair);
}

/* ---- out ---- */

/* The body of the link message at the front of the chain, without its head. */
static void body_copy(const struct px_chain *chain, uint8_t *ret, size_t len)
{
    size_t skip = LANE_MESSAGE_HEAD;
    for (struct px_slice *s = px_chain_first(chain); s != NULL && len > 0; s = px_chain_next(s)) {
        size_t from = skip < s->len ? skip : s->len;
        size_t n = s->len - from < len ? s->len - from : len;
        memcpy(ret, s->ptr + from, n);
        ret += n;
        len -= n;
        skip -= from;
    }
}

static ssize_t nng_send_one(struct px_lane *lane)
{
    uint8_t bytes[LANE_MESSAGE_HEAD];
    nng_msg *msg = NULL;
    if (lane->nng.credit == 0) {
        return 0; /* until something is taken */
    }
    (void)px_chain_peek(&lane->out.chain, bytes, sizeof bytes);
    struct px_bytes head = px_bytes_of(bytes + 1, sizeof bytes - 1);
    size_t len = (size_t)px_bytes_u64be(&head) - LANE_HOPS_LEN;
    if (nng_msg_alloc(&msg, len) != 0) {
        return -1;
    }
    body_copy(&lane->out.chain, nng_msg_body(msg), len);
    if (nng_sendmsg(lane->nng.pair->socket, msg, NNG_FLAG_NONBLOCK) != 0) {
        nng_msg_free(msg);
        return -1;
    }
    lane->nng.credit--;
    return (ssize_t)(LANE_MESSAGE_HEAD + len);
}

static void nng_sent(struct px_lane *lane)
{
    (void)lane;
}

/* Says that CREDIT / 2 more were taken. */
static void taken_tell(struct px_lane *lane)
{
    nng_msg *msg = NULL;
    lane->nng.untold = 0;
    bool told = nng_msg_alloc(&msg, 0) == 0 &&
                nng_sendmsg(lane->nng.pair->socket, msg, NNG_FLAG_NONBLOCK) == 0;
    if (!told) {
        nng_msg_free(msg);
        lane_break(lane, PX_LANE_CLOSED);
    }
}

static void taken_hear(struct px_lane *lane)
{
    lane->nng.credit += CREDIT / 2;
    if (lane->nng.credit > CREDIT) {
        lane_bad(lane, "the far end takes more than it was sent");
    } else if (lane->out.blocked) {
        lane_go_on(lane);
    }
}

/* ---- in ---- */

/* The next message of the process that counts, with its head put in front. 0: none now. */
static size_t message_next(struct px_lane *lane, uint8_t *ret)
{
    nng_msg *msg = NULL;
    const struct px_pair *pair = lane->nng.pair;
    if (nng_recvmsg(pair->socket, &msg, NNG_FLAG_NONBLOCK) != 0) {
        return 0;
    }
    size_t len = nng_msg_len(msg);
    bool ours = (uint32_t)nng_pipe_id(nng_msg_get_pipe(msg)) == atomic_load(&pair->pipe);
    if (!ours || len == 0) {
        nng_msg_free(msg);
        if (ours) {
            taken_hear(lane);
        }
        return 0;
    }
    struct px_bytes_out head = px_bytes_out_of(ret, LANE_MESSAGE_HEAD);
    px_bytes_put_u8(&head, 1);
    px_bytes_put_u64be(&head, len + LANE_HOPS_LEN);
    px_bytes_put_u32be(&head, 1);
    lane->nng.msg = msg;
    lane->nng.off = 0;
    return LANE_MESSAGE_HEAD;
}

static ssize_t nng_receive(struct px_lane *lane, uint8_t *ret, size_t room)
{
    struct lane_nng *nng = &lane->nng;
    size_t n = nng->msg == NULL ? message_next(lane, ret) : 0;
    if (nng->msg == NULL) {
        return 0;
    }
    size_t left = nng_msg_len(nng->msg) - nng->off;
    size_t part = left < room - n ? left : room - n;
    memcpy(ret + n, (const uint8_t *)nng_msg_body(nng->msg) + nng->off, part);
    nng->off += part;
    if (part == left) {
        nng_msg_free(nng->msg);
        nng->msg = NULL;
        if (++nng->untold == CREDIT / 2) {
            taken_tell(lane);
        }
    }
    return lane->ended ? 0 : (ssize_t)(n + part);
}

/* What is left of a message is no descriptor's business. */
static bool memory_look(struct posix_memory *memory, bool sleeps)
{
    const struct px_lane *lane = px_container_of(memory, struct px_lane, memory);
    (void)sleeps;
    return lane->nng.msg != NULL && !px_sul_pending(&lane->again_timer);
}

static void memory_take(struct posix_memory *memory)
{
    lane_read(px_container_of(memory, struct px_lane, memory));
}

/* ---- life ---- */

void lane_nng_bell(struct px_lane *lane)
{
    if (atomic_load(&lane->nng.pair->lost)) {
        lane_break(lane, PX_LANE_CLOSED);
    }
}

static void nng_end(struct px_lane *lane)
{
    if (lane->nng.msg != NULL) {
        nng_msg_free(lane->nng.msg);
        lane->nng.msg = NULL;
    }
    posix_memory_drop(lane->lanes->os, &lane->memory);
    posix_close(lane->lanes->os, &lane->bell);
    posix_close(lane->lanes->os, &lane->inbox);
}

const struct lane_carrier lane_nng_carrier = {.hold_frames = HOLD_FRAMES,
                                              .hold_turns = HOLD_TURNS,
                                              .send = nng_send_one,
                                              .sent = nng_sent,
                                              .receive = nng_receive,
                                              .close = nng_end};

/* Watches what stands ready for a lane. */
static enum px_err ready_watch(struct px_lane *lane, struct posix_source *source, int *take_fd,
                               enum lane_source kind, uint8_t events)
{
    enum px_err err =
        *take_fd < 0 ? PX_EIO
                     : posix_watch(lane->lanes->os, lane->lanes->owner, source, *take_fd, events);
    source->kind = (uint8_t)kind;
    if (err == PX_EOK) {
        *take_fd = -1;
    }
    return err;
}

enum px_err px_lane_pair(struct px_lane *lane, struct px_pair *pair)
{
    if (lane->ended) {
        return PX_EOK; /* it will be told soon */
    }
    if (px_lane_waiting(lane) > 0) {
        return PX_ESTATE;
    }
    lane->carrier = &lane_nng_carrier;
    lane->nng = (struct lane_nng){.pair = pair, .credit = CREDIT};
    lane->memory = (struct posix_memory){.look = memory_look, .take = memory_take};
    posix_memory_watch(lane->lanes->os, &lane->memory);
    PX_TRY(ready_watch(lane, &lane->inbox, &pair->lane_inbox, LANE_INBOX, POSIX_IN));
    return ready_watch(lane, &lane->bell, &pair->lane_bell, LANE_BELL, POSIX_BELL);
}
