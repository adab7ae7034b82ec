/*
 * Decisions that did not continue the link they came on.
 *
 * Such a DECIDED is refused as LINK_BROKEN: whether the debtor owes for its rows is just what the two sides differ on. Its rows stay open,
 * and the message is kept. When two people of this node have taken the debtor's statement of the link (a break, adjusted), that
 * statement is what is owed, up to its last number; then each kept decision is due, one TICK each, and its rows get their outcome:
 *
 *   DECIDED, LINK_BROKEN --> kept --statement taken--> due --TICK--> its number is covered by the statement   as the debtor decided
 *                                                                    it has none, or another one              what would move money is refused
 *
 * Invariants: the statement came after all decisions that it counts, so only what was kept before it is covered by it; a number counts
 * once; a row that has got its outcome meanwhile keeps it.
 */
#include <stdlib.h>

#include "clearing/core/acquirer.h"

void sq_broken_free(struct sq_core *core)
{
    for (uint32_t i = 0; i < core->broken.count; i++)
        free(SQ_ROW(&core->broken, struct sq_broken, i)->body);
    sq_table_free(&core->broken);
}

/* One of the same batch and issuer about the same rows. */
static int is_kept(const struct sq_core *core, uint32_t from, const Sanquan__V1__Decided *m)
{
    for (uint32_t i = 0; i < core->broken.count; i++) {
        const struct sq_broken *b = SQ_ROW(&core->broken, struct sq_broken, i);
        if (b->batch == m->batch && b->from == from && b->first_row == m->row[0] && b->verb == m->verb)
            return 1;
    }
    return 0;
}

sq_status sq_broken_keep(struct sq_step *s, uint32_t from, const Sanquan__V1__Decided *m, sq_bytes body)
{
    if (is_kept(s->core, from, m))
        return SQ_OK;
    uint8_t *copy = malloc(body.size + 1);
    struct sq_broken *b = copy != NULL ? sq_table_add(&s->core->broken, NULL) : NULL;
    if (b == NULL) {
        free(copy);
        return sq_fail(s->err, SQ_E_NOMEM, "decision of batch %" PRIu64, m->batch);
    }
    memcpy(copy, body.data, body.size);
    *b = (struct sq_broken){.entry = s->fx->seq,
                            .batch = m->batch,
                            .from = from,
                            .first_row = m->row[0],
                            .verb = m->verb,
                            .size = (uint32_t)body.size,
                            .body = copy};
    return SQ_OK;
}

const struct sq_broken *sq_broken_due(const struct sq_core *core)
{
    for (uint32_t i = 0; i < core->broken.count; i++) {
        const struct sq_broken *b = SQ_ROW(&core->broken, struct sq_broken, i);
        if (b->entry < sq_settlement_taken_at(core->settlement, b->from))
            return b;
    }
    return NULL;
}

static void forget(struct sq_core *core, uint64_t entry)
{
    struct sq_broken *rows = core->broken.rows;
    for (uint32_t i = 0; i < core->broken.count; i++)
        if (rows[i].entry == entry) {
            free(rows[i].body);
            memmove(&rows[i], &rows[i + 1], (core->broken.count - i - 1) * sizeof *rows);
            core->broken.count--;
            return;
        }
}

/* What the step has counted, for who replays. */
static sq_status note_counted(struct sq_step *s, uint32_t from, uint64_t link, const Sanquan__V1__Decided *m,
                              const struct sq_rows *r, const uint8_t *code)
{
    struct sq_counted *c;
    if (SQ_COLUMN(s, c, 1))
        return sq_full(s);
    *c = (struct sq_counted){.debtor = from, .link = link};
    for (size_t k = 0; k < m->n_row; k++)
        if (code[k] == SQ_OK && m->verb != SANQUAN__V1__VERB__RESERVE && m->verb != SANQUAN__V1__VERB__RELEASE)
            c->fen[sq_row_kind(s->core, r, m->row[k]) - 1] += sq_row_moves(r, m->row[k]);
    s->fx->counted = c;
    return SQ_OK;
}

/* The codes that stand: of rows that wait for this decision, and, where it is in no statement, without what would move money. */
static sq_status codes_of(struct sq_step *s, const struct sq_waiting *w, const struct sq_rows *r, uint32_t from,
                          const Sanquan__V1__Decided *m, int counts, Sanquan__V1__Decided *out)
{
    if (SQ_COLUMN(s, out->row, m->n_row) || SQ_COLUMN(s, out->code.data, m->n_row))
        return sq_full(s);
    out->verb = m->verb;
    out->batch = m->batch;
    int holds = m->verb == SANQUAN__V1__VERB__RESERVE || m->verb == SANQUAN__V1__VERB__RELEASE;
    for (size_t k = 0; k < m->n_row; k++) {
        uint32_t i = m->row[k];
        if (i >= w->rows || sq_part_asked(w, i) != m->verb || sq_row_issuer(s->core, r, i) != from)
            continue;
        int refused = !counts && !holds && m->code.data[k] == SQ_OK && sq_row_moves(r, i) != 0;
        out->row[out->n_row++] = i;
        out->code.data[out->code.len++] = refused ? (uint8_t)SQ_R_LINK_BROKEN : m->code.data[k];
    }
    return SQ_OK;
}

sq_status sq_broken_end(struct sq_step *s, uint64_t entry)
{
    const struct sq_broken *b = sq_broken_due(s->core);
    ProtobufCMessage *opened;
    if (b == NULL || b->entry != entry)
        return SQ_OK; /* the tick of a node that knows another ledger */
    uint32_t from = b->from;
    sq_status st =
        sq_wire_open(&sanquan__v1__decided__descriptor, sq_bytes_of(b->body, b->size), &s->memory, &opened, s->err);
    if (st != SQ_OK)
        return sq_fail_context(s->err, SQ_E_FULL, "kept decision");
    const Sanquan__V1__Decided *m = (const Sanquan__V1__Decided *)opened;
    forget(s->core, entry);
    int counts = m->link != NULL && sq_settlement_take_number(s->core->settlement, from, m->link->number);
    struct sq_waiting *w = sq_waiting_find(s->core, m->batch);
    const Sanquan__V1__Batch *batch;
    struct sq_rows r;
    Sanquan__V1__Decided standing;
    uint8_t *before;
    if (w == NULL)
        return SQ_OK;
    sanquan__v1__decided__init(&standing);
    if ((st = sq_waiting_rows(s, w, &batch, &r)) != SQ_OK ||
        (st = codes_of(s, w, &r, from, m, counts, &standing)) != SQ_OK)
        return st;
    if (SQ_COLUMN(s, before, w->rows))
        return sq_full(s);
    for (uint32_t i = 0; i < w->rows; i++)
        before[i] = (uint8_t)sq_row_decided(w, i);
    if (counts) {
        s->link = m->link->number;
        if ((st = note_counted(s, from, s->link, &standing, &r, standing.code.data)) != SQ_OK)
            return st;
    }
    return sq_rows_decided(s, w, batch, &r, &standing, before);
}

/* ---- snapshot ---- */

void sq_broken_dump(const struct sq_core *core, struct sq_dump *d)
{
    sq_dump_u64(d, core->broken.count);
    for (uint32_t i = 0; i < core->broken.count; i++) {
        const struct sq_broken *b = SQ_ROW(&core->broken, struct sq_broken, i);
        const uint64_t fields[] = {b->entry, b->batch, b->from, b->first_row, b->verb, b->size};
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            sq_dump_u64(d, fields[k]);
        sq_dump_put(d, b->body, b->size);
    }
}

sq_status sq_broken_undump(struct sq_core *core, struct sq_reader *r, struct sq_error *err)
{
    uint64_t count = sq_read_be64(r);
    for (uint64_t i = 0; !r->bad && i < count; i++) {
        struct sq_broken b = {.entry = sq_read_be64(r)};
        b.batch = sq_read_be64(r);
        b.from = (uint32_t)sq_read_be64(r);
        b.first_row = (uint32_t)sq_read_be64(r);
        b.verb = (uint32_t)sq_read_be64(r);
        b.size = (uint32_t)sq_read_be64(r);
        const uint8_t *bytes = sq_read_bytes(r, b.size);
        struct sq_broken *to = bytes != NULL ? sq_table_add(&core->broken, NULL) : NULL;
        b.body = to != NULL ? malloc(b.size + 1u) : NULL;
        if (b.body == NULL) {
            core->broken.count -= to != NULL;
            return sq_fail(err, bytes != NULL ? SQ_E_NOMEM : SQ_E_FORMAT, "kept decision %" PRIu64, i);
        }
        memcpy(b.body, bytes, b.size);
        *to = b;
    }
    return r->bad ? sq_fail(err, SQ_E_FORMAT, "snapshot ends inside kept decisions") : SQ_OK;
}
