/*
 * What nodes have stated about a window, as they signed it.
 *
 * A statement goes from its node to each other by itself, so a node that lies can state one sum here and another there, or state to some
 * only. Every pair that it touches is then valid at some nodes and not at others, and a proposal with such a pair in it finds no quorum.
 * So statements and counterstatements are kept as they were signed (letters), and told on when a window does not go the straight way:
 *
 *   something is late, or round 1 begins --each tells all the hashes of what it has heard--> who has what another lacks, or has it
 *                                                                                            otherwise, shows it the letter
 *   a letter of which there was none     is taken: the node has spoken after all
 *   a letter that says something else    proves that its node has signed two: both go to all, and no pair of the node is proposed
 *
 * Invariants: what was heard first counts, so a value that was valid stays valid; what is proposed changes, never what may be voted for.
 * A statement that somebody else brings says nothing about the stream of its node to this one: decisions that it counts may be on their
 * way still, so of such a statement this node's own pair is left out.
 */
#include "clearing/settlement/internal.h"

#define HEARD_SIZE   (2u * SQ_HASH_SIZE) /* a node: hash of its statement, hash of its counterstatement; zeros: none */
#define LETTERS_SIZE (512u << 10)        /* of letters in one message */
#define TO_ALL       UINT32_MAX
#define SHOWN_MAX    2u  /* times that a node is shown letters in one window */
#define LETTERS_SENT 16u /* messages to one who lacks nearly everything; others tell it the rest */

static const struct sq_said *said_at(const struct sq_window *w, uint32_t i)
{
    return SQ_ROW(&w->said, struct sq_said, i);
}

static struct sq_said *find(const struct sq_window *w, uint32_t node, uint32_t counter)
{
    for (uint32_t i = 0; i < w->said.count; i++) {
        struct sq_said *l = SQ_ROW(&w->said, struct sq_said, i);
        if (l->node == node && l->counter == counter)
            return l;
    }
    return NULL;
}

static sq_bytes letter_of(const struct sq_window *w, const struct sq_said *l)
{
    return sq_bytes_of((const uint8_t *)w->said_bytes.rows + l->at, l->size);
}

int sq_said_two(const struct sq_settlement *s, uint64_t window, uint32_t node)
{
    for (uint32_t i = 0; i < s->doubles.count; i++) {
        const struct sq_double_statement *d = SQ_ROW(&s->doubles, struct sq_double_statement, i);
        if (d->window == window && d->node == node)
            return 1;
    }
    return 0;
}

uint32_t sq_settlement_double_statements(const struct sq_settlement *s, struct sq_double_statement *out, uint32_t max)
{
    for (uint32_t i = 0; i < s->doubles.count && i < max; i++)
        out[i] = *SQ_ROW(&s->doubles, struct sq_double_statement, i);
    return s->doubles.count;
}

/* ---- keeping ---- */

static sq_status add(struct sq_window *w, const struct sq_said *l, sq_bytes whole, struct sq_error *err)
{
    if (sq_table_reserve(&w->said, 1, err) != SQ_OK ||
        sq_table_reserve(&w->said_bytes, (uint32_t)whole.size, err) != SQ_OK)
        return sq_fail(err, SQ_E_NOMEM, "statements of window %" PRIu64, w->number);
    struct sq_said *to = sq_table_add(&w->said, NULL);
    *to = *l;
    to->at = w->said_bytes.count;
    to->size = whole.size;
    if (whole.size != 0)
        memcpy((uint8_t *)w->said_bytes.rows + w->said_bytes.count, whole.data, whole.size);
    w->said_bytes.count += (uint32_t)whole.size;
    return SQ_OK;
}

static sq_status send_letters(const struct sq_window *w, uint32_t to, ProtobufCBinaryData *letters, size_t count,
                              struct sq_effects *fx, struct sq_error *err)
{
    Sanquan__V1__Relay m;
    sanquan__v1__relay__init(&m);
    m.window = w->number;
    m.statements = letters;
    m.n_statements = count;
    return count == 0     ? SQ_OK
           : to == TO_ALL ? sq_effects_send_all(fx, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m.base, err)
                          : sq_effects_send(fx, to, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m.base, err);
}

/* Packing only reads. */
static ProtobufCBinaryData lend(sq_bytes b)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } same = {b.data};
    return (ProtobufCBinaryData){b.size, same.out};
}

/* The node has signed both: kept, and told to all, so that all leave it out. Once a window and node. */
static sq_status two_said(struct sq_settlement *s, struct sq_window *w, const struct sq_said *first,
                          const struct sq_said *second, sq_bytes whole, struct sq_effects *fx, struct sq_error *err)
{
    if (sq_said_two(s, w->number, first->node))
        return SQ_OK;
    struct sq_double_statement *d = sq_table_add(&s->doubles, NULL);
    if (d == NULL)
        return sq_fail(err, SQ_E_NOMEM, "statements of %s", s->codes[first->node]);
    *d = (struct sq_double_statement){
        .window = w->number, .node = first->node, .counter = first->counter, .entry = {first->entry, second->entry}};
    memcpy(d->hash[0], first->hash, SQ_HASH_SIZE);
    memcpy(d->hash[1], second->hash, SQ_HASH_SIZE);
    ProtobufCBinaryData both[2] = {lend(letter_of(w, first)), lend(whole)};
    return first->size != 0 && whole.size != 0 ? send_letters(w, TO_ALL, both, 2, fx, err) : SQ_OK;
}

sq_status sq_said_hear(struct sq_settlement *s, struct sq_window *w, const struct sq_said *l, sq_bytes whole,
                       enum sq_said_news *news, struct sq_effects *fx, struct sq_error *err)
{
    struct sq_said *known = find(w, l->node, l->counter);
    *news = known == NULL                                           ? SQ_SAID_FIRST
            : memcmp(known->hash, l->hash, sizeof known->hash) == 0 ? SQ_SAID_AGAIN
                                                                    : SQ_SAID_OTHER;
    if (known == NULL)
        return add(w, l, whole, err);
    return *news == SQ_SAID_OTHER ? two_said(s, w, known, l, whole, fx, err) : SQ_OK;
}

/* ---- telling ---- */

/* How much reason there is to compare: 1 something is late, 2 the first attempt has failed. */
static uint32_t reason_of(const struct sq_settlement *s, const struct sq_window *w)
{
    int whole = w->statements == s->n && w->counterstatements == s->n;
    return w->agreement.round != 0 ? 2 : w->lateness != 0 && !whole ? 1 : 0;
}

sq_status sq_said_tell(struct sq_settlement *s, struct sq_window *w, struct sq_effects *fx, struct sq_error *err)
{
    size_t size = (size_t)s->n * HEARD_SIZE;
    uint32_t reason = reason_of(s, w);
    if (reason <= w->compared)
        return SQ_OK;
    w->compared = reason;
    uint8_t *heard = sq_arena_take(fx->arena, size);
    if (heard == NULL)
        return sq_fail(err, SQ_E_FULL, "step memory");
    memset(heard, 0, size);
    for (uint32_t i = 0; i < w->said.count; i++) {
        const struct sq_said *l = said_at(w, i);
        memcpy(heard + (size_t)l->node * HEARD_SIZE + l->counter * SQ_HASH_SIZE, l->hash, SQ_HASH_SIZE);
    }
    Sanquan__V1__Relay m;
    sanquan__v1__relay__init(&m);
    m.window = w->number;
    m.heard = (ProtobufCBinaryData){size, heard};
    return sq_effects_send_all(fx, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m.base, err);
}

/* What `to` has not heard, or has heard otherwise, is shown to it; each who answers begins at another node. */
static sq_status show_missing(struct sq_settlement *s, struct sq_window *w, uint32_t to, const uint8_t *heard,
                              struct sq_effects *fx, struct sq_error *err)
{
    ProtobufCBinaryData *letters = sq_arena_take(fx->arena, (w->said.count + 1u) * sizeof *letters);
    size_t count = 0, size = 0, sent = 0;
    sq_status st = SQ_OK;
    if (letters == NULL)
        return sq_fail(err, SQ_E_FULL, "step memory");
    for (uint32_t i = 0; st == SQ_OK && i < 2 * s->n && sent < LETTERS_SENT; i++) {
        uint32_t node = (s->self + i / 2) % s->n, counter = i % 2;
        const struct sq_said *l = node == to ? NULL : find(w, node, counter);
        if (l == NULL || l->size == 0 ||
            memcmp(heard + (size_t)node * HEARD_SIZE + counter * SQ_HASH_SIZE, l->hash, SQ_HASH_SIZE) == 0)
            continue;
        if (size + l->size > LETTERS_SIZE && count != 0) {
            st = send_letters(w, to, letters, count, fx, err);
            count = size = 0;
            sent++;
        }
        letters[count++] = lend(letter_of(w, l));
        size += l->size;
    }
    return st == SQ_OK && sent < LETTERS_SENT ? send_letters(w, to, letters, count, fx, err) : st;
}

/* ---- being told ---- */

sq_status sq_said_compare(struct sq_settlement *s, struct sq_window *w, uint32_t from, sq_bytes heard,
                          struct sq_effects *fx, struct sq_error *err)
{
    if (heard.size != (size_t)s->n * HEARD_SIZE)
        return sq_fail(err, SQ_R_COLUMNS, "%s has heard of %zu bytes", s->codes[from], heard.size);
    if (w->shown.count == 0) {
        if (sq_table_reserve(&w->shown, s->n, err) != SQ_OK)
            return SQ_E_NOMEM;
        for (uint32_t i = 0; i < s->n; i++)
            sq_table_add(&w->shown, NULL);
    }
    if (++*SQ_ROW(&w->shown, uint8_t, from) > SHOWN_MAX) {
        *SQ_ROW(&w->shown, uint8_t, from) = SHOWN_MAX;
        return SQ_OK;
    }
    return show_missing(s, w, from, heard.data, fx, err);
}

/* A letter in form, of this window, that its node has signed: what it says into *l and *rows. */
static sq_status open_letter(const struct sq_settlement *s, const struct sq_window *w, const struct sq_post *post,
                             sq_bytes bytes, struct sq_effects *fx, struct sq_said *l, struct sq_statement_rows *rows,
                             int *usable, struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    struct sq_envelope e;
    ProtobufCMessage *opened;
    *usable = 0;
    if (sq_envelope_open(bytes, &e, NULL) != SQ_OK ||
        (e.type != SANQUAN__V1__MESSAGE_TYPE__STATEMENT && e.type != SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT))
        return SQ_OK;
    *l = (struct sq_said){.node = post->node_of(post->ctx, e.sender),
                          .counter = e.type == SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT,
                          .entry = fx->seq};
    sq_sha256(e.body.data, e.body.size, l->hash);
    if (l->node == SQ_ROW_NONE || l->node == s->self)
        return SQ_OK;
    const struct sq_said *known = find(w, l->node, l->counter);
    if (known != NULL && memcmp(known->hash, l->hash, sizeof known->hash) == 0)
        return SQ_OK; /* no news: not worth a signature */
    sq_status st = sq_wire_open(sq_wire_type(e.type), e.body, &memory, &opened, err);
    if (st != SQ_OK)
        return st == SQ_E_FULL ? st : SQ_OK;
    *rows = sq_rows_stated(e.type, opened);
    *usable = rows->window == w->number && sq_rows_usable(s, l->node, rows) && post->signed_by(post->ctx, &e, l->node);
    return SQ_OK;
}

sq_status sq_said_read(struct sq_settlement *s, struct sq_window *w, const struct sq_post *post, sq_bytes bytes,
                       uint64_t now_ms, struct sq_effects *fx, struct sq_error *err)
{
    struct sq_said l;
    struct sq_statement_rows rows;
    enum sq_said_news news;
    int usable;
    sq_status st = open_letter(s, w, post, bytes, fx, &l, &rows, &usable, err);
    if (st != SQ_OK || !usable)
        return st;
    st = sq_said_hear(s, w, &l, bytes, &news, fx, err);
    if (st != SQ_OK || news != SQ_SAID_FIRST)
        return st;
    if (l.counter)
        return sq_counterstatement_take(s, w, l.node, &rows, now_ms, fx, err);
    sq_statement_take(s, w, l.node, &rows, SQ_TAKE_OTHERS);
    return SQ_OK;
}
