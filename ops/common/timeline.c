/*
 * Watches the windows of a core while the journal is replayed into it.
 *
 *   entry -> decided again -> did a window open? the one before is cut -> has a window that is not settled another state? note the entry
 *
 * Invariant: windows[n - 1] is window n; all before `unsettled` are settled for good and are not looked at again.
 */
#include "ops/common/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "ops/common/replay.h"
#include "peers/crypto.h"
#include "proto/sanquan.pb-c.h"

struct sq_timeline {
    struct sq_core *core;
    struct sq_moves *moves;
    struct sq_table windows; /* struct sq_timeline_window */
    struct sq_link_view own; /* the node's stream to itself after the newest entry */
    uint64_t unsettled, last;
    struct sq_timeline_refused refused;
    void (*progress)(void *ctx, uint64_t entry, uint64_t last);
    void *progress_ctx;
};

static sq_status no_memory(struct sq_error *err)
{
    return sq_fail(err, SQ_E_NOMEM, "windows of a ledger");
}

/* The first number field of a message of ours; 0 when it is left out. */
static uint64_t number_in(sq_bytes message, uint32_t wanted)
{
    uint64_t number = 0;
    uint32_t field;
    sq_bytes bytes = {NULL, 0};
    while ((field = sq_wire_field(&message, &number, &bytes)) != 0)
        if (field == wanted)
            return number;
    return 0;
}

/* ---- windows ---- */

static void note(struct sq_timeline_step *step, const struct sq_entry *e)
{
    *step = (struct sq_timeline_step){e->seq, e->now_ms};
}

static sq_status follow_window(struct sq_timeline *t, const struct sq_core *core, const struct sq_entry *e,
                               struct sq_timeline_window *to, struct sq_error *err)
{
    struct sq_window_view v;
    sq_status st = sq_settlement_window(sq_core_settlement(core), to->window, &v, err);
    if (st != SQ_OK)
        return st;
    to->opened_ms = v.opened_ms;
    if (v.final_ms != 0 && to->final.seq == 0) {
        note(&to->final, e);
        st = sq_moves_settle(t->moves, core, &v, err);
    }
    if (v.state != to->state && v.state == SQ_WINDOW_INSTRUCTED)
        note(&to->instructed, e);
    else if (v.state != to->state && v.state == SQ_WINDOW_SETTLED)
        note(&to->settled, e);
    else if (v.state != to->state && v.state == SQ_WINDOW_BREAK)
        note(&to->broke, e);
    to->state = v.state;
    return st;
}

/* Window n is cut: what the node owed itself until then is in it. Of two that one entry cuts, the second has nothing. */
static sq_status cut(struct sq_timeline *t, const struct sq_core *core, const struct sq_entry *e,
                     struct sq_link_view *own_before, struct sq_error *err)
{
    struct sq_timeline_window *w = SQ_ROW(&t->windows, struct sq_timeline_window, t->windows.count - 1);
    note(&w->cut, e);
    w->local_count = own_before->last.count;
    memcpy(w->local_fen, own_before->last.total_fen, sizeof w->local_fen);
    memset(own_before, 0, sizeof *own_before);
    return sq_moves_cut(t->moves, core, w->window, err);
}

static sq_status follow_windows(struct sq_timeline *t, const struct sq_core *core, const struct sq_entry *e,
                                struct sq_link_view *own_before, struct sq_error *err)
{
    uint64_t open = sq_settlement_open_window(sq_core_settlement(core));
    sq_status st = SQ_OK;
    while (st == SQ_OK && t->windows.count < open) {
        if (t->windows.count != 0)
            st = cut(t, core, e, own_before, err);
        struct sq_timeline_window *w = st == SQ_OK ? sq_table_add(&t->windows, NULL) : NULL;
        if (w == NULL)
            return st != SQ_OK ? st : no_memory(err);
        w->window = t->windows.count;
    }
    for (uint64_t n = t->unsettled; st == SQ_OK && n < t->windows.count; n++) {
        struct sq_timeline_window *w = SQ_ROW(&t->windows, struct sq_timeline_window, (uint32_t)n);
        st = follow_window(t, core, e, w, err);
        t->unsettled += n == t->unsettled && w->state == SQ_WINDOW_SETTLED;
    }
    return st;
}

sq_status sq_timeline_window(const struct sq_timeline *t, uint64_t window, struct sq_timeline_window *out,
                             struct sq_error *err)
{
    if (window == 0 || window > t->windows.count)
        return sq_fail(err, SQ_E_NOT_FOUND, "window %" PRIu64 "; the newest is %u", window, t->windows.count);
    *out = *SQ_ROW(&t->windows, struct sq_timeline_window, (uint32_t)window - 1);
    if (out->cut.seq == 0) {
        out->local_count = t->own.last.count;
        memcpy(out->local_fen, t->own.last.total_fen, sizeof out->local_fen);
    }
    return SQ_OK;
}

/* ---- the replay ---- */

/* Batches and decisions change no window, and there are many of them. */
static int may_change_windows(uint32_t type)
{
    return type != SANQUAN__V1__MESSAGE_TYPE__BATCH && type != SANQUAN__V1__MESSAGE_TYPE__CLEAR &&
           type != SANQUAN__V1__MESSAGE_TYPE__DECIDED;
}

static sq_status visit(void *ctx, const struct sq_core *core, const struct sq_entry *e,
                       const struct sq_envelope *envelope, const struct sq_effects *fx, struct sq_error *err)
{
    struct sq_timeline *t = ctx;
    struct sq_link_view before = t->own;
    uint32_t self = sq_core_self(core);
    sq_settlement_link(sq_core_settlement(core), self, self, &t->own);
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__REJECTED)
        t->refused.rejected[number_in(e->input, 1) & 255]++;
    else if (envelope != NULL && number_in(e->outcome, 1) != SQ_OK)
        t->refused.journalled[number_in(e->outcome, 1) & 255]++;
    sq_status st = sq_moves_enter(t->moves, core, e, envelope, fx, err);
    if (st == SQ_OK && may_change_windows(e->type))
        st = follow_windows(t, core, e, &before, err);
    if (t->progress != NULL)
        t->progress(t->progress_ctx, e->seq, t->last);
    return st;
}

sq_status sq_timeline_new(const struct sq_ledger *ledger, void (*progress)(void *ctx, uint64_t entry, uint64_t last),
                          void *progress_ctx, struct sq_timeline **out, struct sq_error *err)
{
    if (sq_ledger_seq(ledger) == 0)
        return sq_fail(err, SQ_E_NOT_FOUND, "the ledger has no entry yet");
    struct sq_timeline *t = calloc(1, sizeof *t);
    if (t == NULL)
        return no_memory(err);
    *t = (struct sq_timeline){.windows = SQ_TABLE_OF(struct sq_timeline_window),
                              .last = sq_ledger_seq(ledger),
                              .progress = progress,
                              .progress_ctx = progress_ctx};
    sq_status st = sq_moves_new(&t->moves, err);
    if (st == SQ_OK)
        st = sq_replay(ledger, NULL, sq_ed25519_key_ok, visit, t, &t->core, NULL, err);
    if (st == SQ_OK)
        *out = t;
    else
        sq_timeline_free(t);
    return st;
}

void sq_timeline_free(struct sq_timeline *t)
{
    if (t == NULL)
        return;
    sq_table_free(&t->windows);
    sq_moves_free(t->moves);
    sq_core_free(t->core);
    free(t);
}

/* ---- reading ---- */

const struct sq_core *sq_timeline_core(const struct sq_timeline *t)
{
    return t->core;
}

const struct sq_moves *sq_timeline_moves(const struct sq_timeline *t)
{
    return t->moves;
}

void sq_timeline_refused(const struct sq_timeline *t, struct sq_timeline_refused *out)
{
    *out = t->refused;
}
