/* h1_conn_fuzz.c - any bytes as what a client says on connections of the real service, while an
 * application that the same bytes choose answers now, later, in any order, in pieces, wrongly or
 * not at all, memory fails, time passes and clients leave. Whatever happens: every exchange ends
 * once, every accepted request has one answer, nothing is left behind. */
#define RIG_FAIL(text) (fprintf(stderr, "%s\n", (text)), abort())

#include "../services/h1_act.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
    CHOICES = 12,     /* bytes at the front that choose */
    PENDING_MAX = 64, /* requests the application has not finished */
    PIECES_MAX = 4000,
    BODY_MAX = 70000
};

/* What the first bytes chose. */
struct choices {
    uint32_t step;       /* bytes of a piece, 0: by chance */
    uint32_t patience;   /* one in so many acts is the application's */
    bool errors;         /* the application makes mistakes */
    bool mute;           /* the client reads late */
    bool leaves;         /* the client ends with fin */
    uint32_t fail_in;    /* the allocation that fails; 0: none */
    uint32_t advance_ms; /* time that passes now and then */
};

static struct {
    struct choices choices;
    struct px_bytes rest; /* more chance */
    uint64_t chance;
    struct req *pending[PENDING_MAX];
    uint32_t n_pending, n_ok;
    bool wrong, old; /* old: a body may end with the connection, and cut off what waits behind it */
    char body[BODY_MAX];
} run;

static uint32_t chance(uint32_t n)
{
    run.chance = run.chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(run.chance >> 40) % n;
}

static void pending_drop(struct req *r)
{
    for (uint32_t i = 0; i < run.n_pending; i++) {
        if (run.pending[i] == r) {
            run.pending[i] = run.pending[--run.n_pending];
            return;
        }
    }
}

static void exchange_came(struct req *r)
{
    r->keep_body = false;
    run.old = run.old || r->version == 10;
    if (run.n_pending < PENDING_MAX) {
        run.pending[run.n_pending++] = r;
    } else {
        rig.order[rig.n_order++] = r; /* answered at the end */
    }
}

/* Ended comes through the rig, which frees the request: look at those that are over first. */
static void ended_collect(void)
{
    for (uint32_t i = 0; i < run.n_pending;) {
        if (run.pending[i]->ended != 0) {
            struct req *r = run.pending[i];
            run.n_ok += r->ended == PX_OK + 1;
            pending_drop(r);
            req_free(r);
        } else {
            i++;
        }
    }
}

static void answer(struct req *r)
{
    struct answer_plan plan = {.status = chance(8) == 0 ? 204 : chance(8) == 0 ? 304 : 200};
    static const char *const fields[] = {"", "x-a: b\n", "content-type: text/html\nserver: me\n",
                                         "connection: close\ncontent-length: 7\n"};
    plan.fields = fields[chance(4)];
    plan.body_len = chance(3) == 0 ? chance(H1_RESPOND_FREE) : chance(100);
    plan.body = run.body;
    plan.body = plan.body_len == 0 ? NULL : plan.body;
    plan.more = chance(2) == 0;
    if (plan.more && chance(2) == 0) {
        plan.has_length = true;
        plan.length = plan.body_len + 2000;
        r->length = 2000; /* still to be sent */
    } else {
        r->length = UINT64_MAX;
    }
    if (run.choices.errors && chance(8) == 0) {
        run.wrong = true;
        plan.status = chance(2) == 0 ? 101 : plan.status;
        plan.fields = chance(2) == 0 ? "a b: c\n" : plan.fields;
        plan.has_length = true;
        plan.length = chance(50);
    }
    r->taken = !plan.more;
    r->answered = true;
    req_answer(r, &plan);
}

static void answer_more(struct req *r)
{
    size_t most = r->credit < 512 ? 0 : r->credit < 3000 ? r->credit : 3000;
    bool counted = r->length != UINT64_MAX;
    size_t len = most == 0 ? 0 : 1 + chance((uint32_t)most - 1);
    len = counted && len > r->length ? (size_t)r->length : len;
    bool fin = counted ? len == r->length : chance(3) == 0;
    if (run.choices.errors && chance(16) == 0) {
        run.wrong = true;
        req_trailers(r, "x: y\n");
        r->taken = true;
    } else if (!counted && chance(4) == 0) {
        req_trailers(r, "x: y\n");
        r->taken = true;
    } else if (most > 0) {
        r->length -= counted ? len : 0;
        r->taken = fin;
        req_data(r, run.body, len, fin);
    }
}

/* One thing the application does. */
static void application_acts(void)
{
    ended_collect();
    if (run.n_pending == 0) {
        return;
    }
    struct req *r = run.pending[chance(run.n_pending)];
    if (r->taken) {
        return;
    }
    uint32_t what = chance(16);
    if (r->answered && r->known && what < 14) {
        answer_more(r);
    } else if (what < 6) {
        req_take(r, chance(3) * 700);
    } else if (what == 6 && run.choices.errors) {
        run.wrong = true;
        req_cancel(r);
        r->taken = true;
    } else if (what == 7 && !r->answered) {
        req_inform(r, 100 + chance(8), "link: x\n");
    } else if (!r->answered) {
        answer(r);
    }
    rig_run();
    ended_collect();
}

/* Everything that is still due is answered. */
static void application_finishes(void)
{
    for (int i = 0; i < 20000; i++) {
        ended_collect();
        while (rig.n_order > 0 && run.n_pending < PENDING_MAX) {
            run.pending[run.n_pending++] = rig.order[--rig.n_order];
        }
        if (run.n_pending == 0) {
            return;
        }
        struct req *r = run.pending[(uint32_t)i % run.n_pending];
        if (!r->known || (!r->answered && chance(4) == 0)) {
            req_take(r, 100000);
        } else if (!r->answered) {
            answer(r);
        } else if (!r->taken) {
            answer_more(r);
        }
        rig_run();
        if (i % 50 == 49) {
            rig_advance_us(PX_SEC(40)); /* whoever waits for the client gives up */
        }
    }
    RIG_FAIL("the application cannot finish");
}

static size_t finals_count(const struct wire *w)
{
    static const char start[] = "HTTP/1.1 ";
    size_t n = 0;
    for (size_t at = 0; w->out != NULL && at + sizeof start < w->out_len; at++) {
        if (memcmp(w->out + at, start, sizeof start - 1) == 0 && w->out[at + 9] != '1') {
            n++;
        }
    }
    return n;
}

static size_t refusals_count(void)
{
    return (size_t)(rig_counter(H1_COUNT_refused_400) + rig_counter(H1_COUNT_refused_408_head) +
                    rig_counter(H1_COUNT_refused_408_body) + rig_counter(H1_COUNT_refused_413) +
                    rig_counter(H1_COUNT_refused_414) + rig_counter(H1_COUNT_refused_417) +
                    rig_counter(H1_COUNT_refused_431) + rig_counter(H1_COUNT_refused_500) +
                    rig_counter(H1_COUNT_refused_501) + rig_counter(H1_COUNT_refused_503) +
                    rig_counter(H1_COUNT_refused_505));
}

static void conversation(struct wire *w, const uint8_t *data, size_t len)
{
    const struct choices *ch = &run.choices;
    size_t at = 0;
    for (uint32_t i = 0; i < PIECES_MAX && at < len && !w->close && !w->reset && w->rebind == NULL;
         i++) {
        size_t n = ch->step == 0 ? 1 + chance(600) : ch->step;
        n = n < len - at ? n : len - at;
        if (px_charge(n) <= w->window) {
            wire_deliver(w, data + at, n, false);
            at += n;
        }
        if (chance(4) > 0) {
            rig_run();
        }
        if (ch->patience == 0 || chance(ch->patience) == 0) {
            application_acts();
        }
        if (ch->advance_ms > 0 && chance(50) == 0) {
            rig_advance_us(PX_MS(ch->advance_ms));
        }
    }
    rig_run();
    if (ch->leaves && !w->close && !w->reset) {
        wire_fin(w);
    }
}

static void wire_unmute(struct wire *w)
{
    w->mute = false;
    if (w->out_unacked > 0 && !w->reset && w->claimed) {
        wire_credit(w, (uint32_t)w->out_unacked);
        w->out_unacked = 0;
    }
    rig_run();
}

static void choose(const uint8_t *data)
{
    struct choices *ch = &run.choices;
    ch->step = data[0] < 64 ? 0 : data[0] < 128 ? 1u + (data[0] & 7u) : data[0] * 16u;
    ch->patience = data[1] & 15;
    ch->errors = (data[2] & 1) != 0;
    ch->mute = (data[2] & 2) != 0;
    ch->leaves = (data[2] & 4) != 0;
    ch->fail_in = (data[2] & 8) != 0 ? data[3] : 0;
    ch->advance_ms = (data[2] & 16) != 0 ? data[4] * 100u : 0;
    rig.config.requests_max = (data[2] & 32) != 0 ? 1u + (data[5] & 7u) : 0;
    rig.config.body_max = (data[2] & 64) != 0 ? 100u : 0;
    rig.config.window = (data[2] & 128) != 0 ? 512u + data[6] * 8u : 0;
    memcpy(&run.chance, data + 4, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t remote[6] = {10, 0, 0, 1, 1, 2};
    if (len < CHOICES) {
        return 0;
    }
    rig_prepare();
    rig_upgrades();
    memset(&run, 0, sizeof run - sizeof run.body);
    memset(run.body, '.', sizeof run.body);
    choose(data);
    rig_start();
    rig.on_exchange = exchange_came;
    rig.keep_ended = true;
    struct wire *w = wire_new_from(remote, sizeof remote, false);
    w->mute = run.choices.mute;
    rig.fail_in = run.choices.fail_in;
    rig.fail_every = run.choices.fail_in * 2;
    conversation(w, data + CHOICES, len - CHOICES);
    rig.fail_in = 0;
    if (w->claimed) {
        wire_unmute(w);
    }
    bool watched = run.choices.fail_in == 0 && !run.wrong && !run.choices.leaves;
    application_finishes();
    watched = watched && !w->reset && !run.wrong && !run.old;
    if (watched && finals_count(w) != run.n_ok + refusals_count()) {
        fprintf(stderr, "%zu answers, %u exchanges done, %zu refusals:\n%.*s\n", finals_count(w),
                run.n_ok, refusals_count(), (int)w->out_len, w->out == NULL ? "" : (char *)w->out);
        RIG_FAIL("not one answer for each request");
    }
    wire_end(w, PX_RESET);
    application_finishes();
    rig_run();
    rig_expect_clean();
    px_kernel_free(rig.kernel);
    return 0;
}
