/*
 * From statements to the value agreed on.
 *
 * A Settlement is a pure function of its list of pairs and of its changes of regions' standing: nets, payments and losses are computed
 * from them by every node, byte for byte. Its pairs are those whose two sides stated the same; a proposer may leave a pair out (it may not
 * have heard both sides in time), but can add or change none. Its changes are those that more than two thirds of the nodes want; a
 * region that defaults in it has no pair in it.
 *
 * What is proposed is a recipe: which pairs (a bit each), which changes, and the hashes of what must come of it. Whoever has the same
 * statements makes the same bytes; whoever does not make them has heard something else, and does not vote for them.
 */
#include <stdlib.h>

#include "clearing/settlement/internal.h"

uint32_t sq_code_find(const struct sq_settlement *s, const char *code)
{
    uint32_t low = 0, high = s->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(s->codes[middle], code) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n && strcmp(s->codes[low], code) == 0 ? low : SQ_ROW_NONE;
}

/* ---- values that have been proposed ---- */

struct sq_value *sq_value_find(struct sq_window *w, const uint8_t hash[static SQ_HASH_SIZE])
{
    for (uint32_t i = 0; i < w->value_count; i++)
        if (memcmp(w->value[i].hash, hash, SQ_HASH_SIZE) == 0)
            return &w->value[i];
    return NULL;
}

static uint32_t count_of_proposer(const struct sq_window *w, uint32_t proposer)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->value_count; i++)
        n += w->value[i].proposer == proposer;
    return n;
}

static uint32_t votes_for(const struct sq_window *w, const uint8_t hash[static SQ_HASH_SIZE])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->agreement.votes.count; i++)
        n += memcmp(SQ_ROW(&w->agreement.votes, struct sq_agreement_vote, i)->value, hash, SQ_HASH_SIZE) == 0;
    return n;
}

/* Who proposes most has the least to lose, so that nobody can push out what others propose; then what has fewer votes, then the older. */
static int goes_before(const struct sq_window *w, const struct sq_value *a, const struct sq_value *b)
{
    uint32_t a_count = count_of_proposer(w, a->proposer), b_count = count_of_proposer(w, b->proposer);
    return a_count != b_count ? a_count > b_count : votes_for(w, a->hash) < votes_for(w, b->hash);
}

static int is_needed(const struct sq_window *w, const struct sq_value *v)
{
    const struct sq_agreement *a = &w->agreement;
    return memcmp(v->hash, a->locked, SQ_HASH_SIZE) == 0 || memcmp(v->hash, a->valid, SQ_HASH_SIZE) == 0 ||
           memcmp(v->hash, a->certified, SQ_HASH_SIZE) == 0;
}

static void drop_one(struct sq_window *w)
{
    uint32_t out = SQ_ROW_NONE;
    for (uint32_t i = 0; i < w->value_count; i++)
        if (!is_needed(w, &w->value[i]) && (out == SQ_ROW_NONE || goes_before(w, &w->value[i], &w->value[out])))
            out = i;
    SQ_ASSERT(out != SQ_ROW_NONE); /* three at most are needed */
    // cppcheck-suppress arrayIndexOutOfBounds ; asserted
    sq_value_free(&w->value[out]);
    memmove(&w->value[out], &w->value[out + 1], (w->value_count - out - 1) * sizeof w->value[0]);
    w->value_count--;
}

void sq_value_free(struct sq_value *v)
{
    free(v->bytes.data);
    free(v->recipe.data);
}

struct sq_value *sq_value_place(struct sq_window *w, uint32_t proposer, const uint8_t hash[static SQ_HASH_SIZE])
{
    struct sq_value *v = sq_value_find(w, hash);
    if (v != NULL)
        return v;
    if (w->value_count == SQ_VALUES_MAX)
        drop_one(w);
    v = &w->value[w->value_count++];
    *v = (struct sq_value){.proposer = proposer};
    memcpy(v->hash, hash, SQ_HASH_SIZE);
    return v;
}

sq_status sq_blob_set(struct sq_blob *b, sq_bytes bytes, struct sq_error *err)
{
    uint8_t *copy = malloc(bytes.size + 1);
    if (copy == NULL)
        return sq_fail(err, SQ_E_NOMEM, "%zu bytes of a settlement", bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    free(b->data);
    *b = (struct sq_blob){copy, bytes.size};
    // cppcheck-suppress memleak ; *out has it
    return SQ_OK;
}

sq_status sq_value_keep(struct sq_window *w, uint32_t proposer, sq_bytes bytes, uint8_t hash[static SQ_HASH_SIZE],
                        struct sq_error *err)
{
    sq_settlement_hash(bytes, hash);
    struct sq_value *v = sq_value_place(w, proposer, hash);
    return v->bytes.data != NULL ? SQ_OK : sq_blob_set(&v->bytes, bytes, err);
}

/* ---- pairs ---- */

/*
 * Two nodes that lie together can state any sum. One that could carry a window's sums out of int64 (all pairs of a kind, paid into
 * the hub and out again) is no pair of any settlement; with 333 nodes that is 40 trillion fen from one region to another.
 */
static int sums_fit(const struct sq_settlement *s, const struct sq_stated *row)
{
    int64_t most = INT64_MAX / 2 / ((int64_t)s->n * s->n);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        if (row->total_fen[k] > most || row->total_fen[k] < -most)
            return 0;
    return 1;
}

/* Both sides are here, say the same, and there is something to settle. */
static const struct sq_stated *agreed_pair(const struct sq_settlement *s, const struct sq_window *w, uint32_t debtor,
                                           uint32_t creditor)
{
    size_t at = (size_t)debtor * s->n + creditor;
    if (debtor == creditor || w->debtor == NULL)
        return NULL;
    const struct sq_stated *d = &w->debtor[at], *c = &w->creditor[at];
    return d->present && c->present && memcmp(d, c, sizeof *d) == 0 && (d->last >= d->first || sq_carries(d)) &&
                   sums_fit(s, d)
               ? d
               : NULL;
}

/* ---- building ---- */

/*
 * All agreed pairs but those of regions that default here; returns how many were left out. What a node has signed two statements about is
 * agreed here and not there: its pairs are not proposed.
 */
static size_t collect_pairs(const struct sq_settlement *s, const struct sq_window *w, struct sq_content *c)
{
    size_t left_out = 0;
    c->pair_count = 0;
    for (uint32_t debtor = 0; debtor < s->n; debtor++)
        for (uint32_t creditor = 0; creditor < s->n; creditor++) {
            const struct sq_stated *row = agreed_pair(s, w, debtor, creditor);
            if (row == NULL || sq_said_two(s, w->number, debtor) || sq_said_two(s, w->number, creditor))
                continue;
            if (sq_content_defaults(c, debtor) || sq_content_defaults(c, creditor))
                left_out++;
            else
                c->pairs[c->pair_count++] = (struct sq_content_pair){debtor, creditor, row};
        }
    return left_out;
}

/* The value that would have been, had nobody defaulted. */
static sq_status hash_first_attempt(const struct sq_settlement *s, const struct sq_window *w,
                                    uint8_t hash[static SQ_HASH_SIZE], struct sq_error *err)
{
    struct sq_content c = {.window = w->number, .kinds = w->kinds, .closing = w->closing};
    struct sq_blob first = {0};
    sq_status st = sq_content_room(s, &c) ? SQ_OK : sq_fail(err, SQ_E_NOMEM, "pairs of %u nodes", s->n);
    if (st == SQ_OK) {
        collect_pairs(s, w, &c);
        st = sq_content_make(s, &c, &first, err);
    }
    if (st == SQ_OK)
        sq_settlement_hash(sq_bytes_of(first.data, first.size), hash);
    free(first.data);
    sq_content_free(&c);
    return st;
}

sq_status sq_value_build(const struct sq_settlement *s, const struct sq_window *w, int empty, struct sq_blob *out,
                         struct sq_error *err)
{
    struct sq_content c = {.window = w->number, .kinds = w->kinds, .closing = w->closing};
    sq_status st = sq_content_room(s, &c) ? SQ_OK : sq_fail(err, SQ_E_NOMEM, "pairs of %u nodes", s->n);
    c.kinds = empty ? 0 : w->kinds;
    if (st == SQ_OK && !empty) {
        c.change_count = sq_changes_wanted(s, c.changes);
        c.recast = collect_pairs(s, w, &c) != 0;
        st = c.recast ? hash_first_attempt(s, w, c.recast_of, err) : SQ_OK;
    }
    if (st == SQ_OK)
        st = sq_content_make(s, &c, out, err);
    sq_content_free(&c);
    return st;
}

Sanquan__V1__Settlement *sq_settlement_open(sq_bytes value)
{
    if (sq_wire_check_long(&sanquan__v1__settlement__descriptor, value, SQ_SETTLEMENT_SIZE_MAX, NULL) != SQ_OK)
        return NULL;
    return sanquan__v1__settlement__unpack(NULL, value.size, value.data);
}

static int payments_usable(Sanquan__V1__Payment **payments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (payments[i]->kind < 1 || payments[i]->kind > SQ_KIND_COUNT || payments[i]->amount_fen <= 0)
            return 0;
    return 1;
}

int sq_value_usable(const struct sq_settlement *s, const struct sq_window *w, sq_bytes value)
{
    Sanquan__V1__Settlement *v = sq_settlement_open(value);
    int ok = v != NULL && v->window == w->number;
    for (size_t i = 0; ok && i < v->n_pairs; i++) {
        const Sanquan__V1__Pair *p = v->pairs[i];
        ok = sq_code_find(s, p->debtor) != SQ_ROW_NONE && sq_code_find(s, p->creditor) != SQ_ROW_NONE &&
             p->hash.len == SQ_HASH_SIZE && p->n_total_fen == SQ_KIND_COUNT;
    }
    for (size_t i = 0; ok && i < v->n_changes; i++) {
        const Sanquan__V1__StandingChange *c = v->changes[i];
        uint32_t node = sq_code_find(s, c->node);
        ok = node != SQ_ROW_NONE && c->standing >= SQ_REGION_ENROLLED && c->standing <= SQ_REGION_CLOSED &&
             (c->unpaid_window == 0 || sq_loss_possible(s, node, c->unpaid_window));
    }
    for (size_t i = 0; ok && i < v->n_left; i++)
        ok = sq_code_find(s, v->left[i]->payer) != SQ_ROW_NONE && sq_code_find(s, v->left[i]->payee) != SQ_ROW_NONE;
    ok = ok && payments_usable(v->payments, v->n_payments) && payments_usable(v->losses, v->n_losses) &&
         payments_usable(v->left, v->n_left);
    if (v != NULL)
        sanquan__v1__settlement__free_unpacked(v, NULL);
    return ok;
}

/* The changes that a value holds, when each is wanted here; 0 when one is not. */
static int take_changes(const struct sq_settlement *s, const Sanquan__V1__Settlement *v, struct sq_content *c)
{
    int defaults = 0;
    for (size_t i = 0; i < v->n_changes; i++) {
        struct sq_change change = {v->changes[i]->unpaid_window, sq_code_find(s, v->changes[i]->node),
                                   v->changes[i]->standing};
        if (change.node == SQ_ROW_NONE || !sq_change_wanted(s, &change) ||
            (i != 0 && c->changes[i - 1].node >= change.node))
            return 0;
        c->changes[c->change_count++] = change;
        defaults |= change.standing == SQ_REGION_DEFAULTED;
    }
    c->recast = v->recast_of.len == SQ_HASH_SIZE;
    if (c->recast)
        memcpy(c->recast_of, v->recast_of.data, SQ_HASH_SIZE);
    return v->recast_of.len == 0 || (c->recast && defaults);
}

static size_t bits_size(const struct sq_settlement *s)
{
    return ((size_t)s->n * s->n + 7) / 8;
}

/* Its pairs, when both sides have stated each here, and no region that defaults is in one. */
static int take_pairs(const struct sq_settlement *s, const struct sq_window *w, const uint8_t *bits,
                      struct sq_content *c)
{
    for (size_t at = 0; at < (size_t)s->n * s->n; at++) {
        if ((bits[at / 8] & 0x80u >> at % 8) == 0)
            continue;
        uint32_t debtor = (uint32_t)(at / s->n), creditor = (uint32_t)(at % s->n);
        const struct sq_stated *row = agreed_pair(s, w, debtor, creditor);
        if (row == NULL || sq_content_defaults(c, debtor) || sq_content_defaults(c, creditor))
            return 0;
        c->pairs[c->pair_count++] = (struct sq_content_pair){debtor, creditor, row};
    }
    return 1;
}

/* Somebody has closed the window for just these kinds; for all of them anybody may. */
static int kinds_stated(const struct sq_settlement *s, const struct sq_window *w, uint32_t kinds)
{
    int stated = kinds == 0;
    for (uint32_t node = 0; node < s->n; node++)
        stated |= w->closing[node].present && w->closing[node].kinds == kinds;
    return stated;
}

static sq_status follow(const struct sq_settlement *s, const struct sq_window *w, const Sanquan__V1__Proposal *m,
                        struct sq_value *v, struct sq_error *err)
{
    struct sq_content c = {.window = w->number, .kinds = m->value->kinds, .closing = w->closing};
    struct sq_blob made = {0};
    uint8_t hash[SQ_HASH_SIZE];
    sq_status st = sq_content_room(s, &c) ? SQ_OK : sq_fail(err, SQ_E_NOMEM, "pairs of %u nodes", s->n);
    if (st == SQ_OK && kinds_stated(s, w, c.kinds) && m->value->n_changes <= s->n && take_changes(s, m->value, &c) &&
        take_pairs(s, w, m->pairs.data, &c) && sq_content_make(s, &c, &made, NULL) == SQ_OK) {
        sq_settlement_hash(sq_bytes_of(made.data, made.size), hash);
        v->valid = memcmp(hash, v->hash, SQ_HASH_SIZE) == 0;
    }
    sq_content_free(&c);
    if (!v->valid) {
        free(made.data);
        return st;
    }
    free(v->bytes.data); /* the same, when it was fetched before */
    v->bytes = made;
    return st;
}

sq_status sq_value_try(const struct sq_settlement *s, const struct sq_window *w, struct sq_value *v,
                       struct sq_error *err)
{
    if (v->valid || v->recipe.data == NULL || v->tried == s->news + 1)
        return SQ_OK;
    v->tried = s->news + 1;
    Sanquan__V1__Proposal *m = sanquan__v1__proposal__unpack(NULL, v->recipe.size, v->recipe.data);
    if (m == NULL)
        return sq_fail(err, SQ_E_NOMEM, "proposal of window %" PRIu64, w->number);
    sq_status st = follow(s, w, m, v, err);
    sanquan__v1__proposal__free_unpacked(m, NULL);
    return st;
}

/* ---- proposing ---- */

int sq_recipe_read(const struct sq_settlement *s, const Sanquan__V1__Proposal *m, uint8_t hash[static SQ_HASH_SIZE])
{
    struct sq_parts parts;
    const Sanquan__V1__Settlement *v = m->value;
    if (v == NULL || v->window != m->window || v->n_pairs != 0 || v->n_nets != 0 || v->n_payments != 0 ||
        v->n_losses != 0 || v->n_funds != 0 || v->n_left != 0 || v->kinds >= SQ_KINDS_END ||
        m->pairs.len != bits_size(s) || !sq_parts_read(m->size, m->parts, m->n_parts, &parts))
        return 0;
    sq_parts_hash(&parts, hash);
    return 1;
}

static void set_pairs(const struct sq_settlement *s, const Sanquan__V1__Settlement *value, uint8_t *bits)
{
    memset(bits, 0, bits_size(s));
    for (size_t i = 0; i < value->n_pairs; i++) {
        size_t at =
            (size_t)sq_code_find(s, value->pairs[i]->debtor) * s->n + sq_code_find(s, value->pairs[i]->creditor);
        bits[at / 8] |= (uint8_t)(0x80u >> at % 8);
    }
}

sq_status sq_value_propose(const struct sq_settlement *s, const struct sq_window *w, const struct sq_value *v,
                           uint32_t round, uint32_t valid_round, struct sq_effects *fx, struct sq_error *err)
{
    Sanquan__V1__Settlement *value = sq_settlement_open(sq_bytes_of(v->bytes.data, v->bytes.size));
    struct sq_parts parts;
    ProtobufCBinaryData hashes[SQ_PARTS_MAX];
    Sanquan__V1__Proposal m;
    Sanquan__V1__Settlement frame;
    uint8_t *bits = sq_arena_take(fx->arena, bits_size(s));
    sq_status st = value == NULL  ? sq_fail(err, SQ_E_NOMEM, "settlement of window %" PRIu64, w->number)
                   : bits == NULL ? sq_fail(err, SQ_E_FULL, "step memory")
                                  : SQ_OK;
    if (st == SQ_OK) {
        set_pairs(s, value, bits);
        frame = *value;
        frame.n_pairs = frame.n_nets = frame.n_payments = frame.n_losses = frame.n_funds = frame.n_left = 0;
        sq_parts_of(sq_bytes_of(v->bytes.data, v->bytes.size), &parts);
        for (uint32_t i = 0; i < parts.count; i++)
            hashes[i] = (ProtobufCBinaryData){SQ_HASH_SIZE, parts.hash[i]};
        sanquan__v1__proposal__init(&m);
        m.window = w->number;
        m.round = round;
        m.valid_round = valid_round;
        m.value = &frame;
        m.pairs = (ProtobufCBinaryData){bits_size(s), bits};
        m.size = parts.size;
        m.parts = hashes;
        m.n_parts = parts.count;
        st = sq_effects_send_all(fx, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL, &m.base, err);
    }
    if (value != NULL)
        sanquan__v1__settlement__free_unpacked(value, NULL);
    return st;
}
