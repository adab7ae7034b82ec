/*
 * Invariants: of no claim more comes back than stands of it; shares are differences of rounded sums, so they make the whole to the fen;
 * no row gives back a base without an amount, which would be no row.
 */
#include "ops/cli/returns.h"

#include <stdlib.h>
#include <string.h>

#include "ops/cli/cli.h"

#define SERIAL_RADIX 1000000000u

void sq_returns_end(struct sq_returns *r)
{
    free(r->list);
    free(r->pending);
    *r = (struct sq_returns){0};
}

static void add(struct sq_standing **list, size_t *count, size_t *capacity, const struct sq_standing *s)
{
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? 64 : *capacity * 2;
        *list = sq_need(realloc(*list, *capacity * sizeof **list));
    }
    (*list)[(*count)++] = *s;
}

/* ---- claims that stand ---- */

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}
static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* The claim was refused: it never stood. */
static void take_off(struct sq_returns *r, const struct sq_standing *x)
{
    for (size_t i = r->count; i-- > 0;) {
        struct sq_standing *s = &r->list[i];
        if (s->voucher == x->voucher && s->base_fen == x->base_fen && s->amount_fen == x->amount_fen) {
            *s = r->list[--r->count];
            return;
        }
    }
}

/* The newest claim that holds it, as the issuer chooses; else from the newest on, as far as it goes. */
static void give_back(struct sq_returns *r, struct sq_standing x)
{
    for (size_t i = r->count; i-- > 0;) {
        struct sq_standing *s = &r->list[i];
        if (s->voucher == x.voucher && s->base_fen >= x.base_fen && s->amount_fen >= x.amount_fen) {
            s->base_fen -= x.base_fen;
            s->amount_fen -= x.amount_fen;
            return;
        }
    }
    for (size_t i = r->count; i-- > 0;) {
        struct sq_standing *s = &r->list[i];
        int64_t base = s->base_fen < x.base_fen ? s->base_fen : x.base_fen,
                amount = s->amount_fen < x.amount_fen ? s->amount_fen : x.amount_fen;
        if (s->voucher != x.voucher)
            continue;
        s->base_fen -= base, s->amount_fen -= amount;
        x.base_fen -= base, x.amount_fen -= amount;
    }
}

static void end_pending(struct sq_returns *r, const struct sq_standing *x)
{
    for (size_t i = 0; i < r->pending_count; i++)
        if (r->pending[i].voucher == x->voucher && r->pending[i].base_fen == x->base_fen &&
            r->pending[i].amount_fen == x->amount_fen) {
            r->pending[i] = r->pending[--r->pending_count];
            return;
        }
}

static void take_item(struct sq_returns *r, const json_t *item)
{
    const char *state = text_of(item, "state"), *verb = text_of(item, "verb"), *end = text_of(item, "end");
    struct sq_standing x = {.voucher = strtoull(text_of(item, "voucher"), NULL, 10),
                            .service_day = (uint32_t)int_of(item, "service_day"),
                            .base_fen = int_of(item, "base_fen"),
                            .amount_fen = int_of(item, "amount_fen")};
    int uses = strcmp(verb, "redeem") == 0 || strcmp(verb, "commit") == 0, returns = strcmp(verb, "return") == 0;
    if (strcmp(end, "claim_refused") == 0)
        take_off(r, &x);
    else if (*end != '\0') { /* the home asked for some returns itself: those were never pending here */
        end_pending(r, &x);
        if (strcmp(end, "return_accepted") == 0)
            give_back(r, x);
    } else if (strcmp(state, "refused") == 0 || strcmp(text_of(item, "role"), "decided") == 0)
        return; /* what was decided here for another acquirer is claimed by it too */
    else if (uses && strcmp(state, "accepted") == 0)
        add(&r->list, &r->count, &r->capacity, &x);
    else if (returns && strcmp(state, "accepted") == 0 && strcmp(text_of(item, "role"), "acquired") == 0)
        give_back(r, x);
    else if (returns)
        add(&r->pending, &r->pending_count, &r->pending_capacity, &x);
}

void sq_returns_items(struct sq_returns *r, const json_t *items)
{
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        take_item(r, item);
    }
}

void sq_returns_settle(struct sq_returns *r)
{
    for (size_t i = 0; i < r->pending_count; i++)
        give_back(r, r->pending[i]);
    r->pending_count = 0;
}

/* ---- shares ---- */

static int is_of(const struct sq_standing *s, const json_t *programme)
{
    uint64_t prefix = s->voucher / SERIAL_RADIX;
    return (int64_t)(prefix / 10000) == int_of(programme, "issuer") &&
           (int64_t)(prefix % 10000) == int_of(programme, "programme");
}

/* Of `part` in all, as `whole` is shared: this one's, the running sum being `sum` with it. */
static int64_t share(int64_t part, int64_t whole, int64_t sum, int64_t own)
{
    if (whole == 0)
        return 0;
    return (int64_t)((__int128)part * sum / whole) - (int64_t)((__int128)part * (sum - own) / whole);
}

/* A base that came out without an amount goes to a claim with one. */
static void gather_bases(struct sq_returns *r, const json_t *programme)
{
    for (size_t i = 0; i < r->count; i++) {
        struct sq_standing *s = &r->list[i];
        if (!is_of(s, programme) || s->back_amount_fen != 0)
            continue;
        for (size_t k = 0; k < r->count && s->back_base_fen != 0; k++) {
            struct sq_standing *to = &r->list[k];
            if (!is_of(to, programme) || to->back_amount_fen == 0)
                continue;
            int64_t room = to->base_fen - to->back_base_fen, moved = s->back_base_fen < room ? s->back_base_fen : room;
            to->back_base_fen += moved;
            s->back_base_fen -= moved;
        }
    }
}

static sq_status spread_programme(struct sq_returns *r, const json_t *programme, int64_t more_fen, struct sq_error *err)
{
    int64_t base = 0, amount = 0, base_sum = 0, amount_sum = 0;
    for (size_t i = 0; i < r->count; i++)
        if (is_of(&r->list[i], programme)) {
            base += r->list[i].base_fen;
            amount += r->list[i].amount_fen;
        }
    if (base != int_of(programme, "base_fen") || amount != int_of(programme, "amount_fen"))
        return sq_fail(err, SQ_E_VERIFY,
                       _("of %06d/%d the register holds other sums than the claims: something on this invoice is being "
                         "decided; try again in a moment"),
                       (int)int_of(programme, "issuer"), (int)int_of(programme, "programme"));
    for (size_t i = 0; i < r->count; i++) {
        struct sq_standing *s = &r->list[i];
        if (!is_of(s, programme))
            continue;
        base_sum += s->base_fen;
        amount_sum += s->amount_fen;
        s->back_base_fen = share(int_of(programme, "back_base_fen"), base, base_sum, s->base_fen);
        s->back_amount_fen = share(int_of(programme, "back_fen") + more_fen, amount, amount_sum, s->amount_fen);
    }
    gather_bases(r, programme);
    return SQ_OK;
}

sq_status sq_returns_spread(struct sq_returns *r, const json_t *invoice, struct sq_error *err)
{
    const json_t *programmes = json_object_get(invoice, "programmes");
    int64_t more = int_of(invoice, "back_fen"), left = 0, sum = 0;
    sq_status st = SQ_OK;
    size_t i;
    json_t *p;
    json_array_foreach(programmes, i, p)
    {
        more -= int_of(p, "back_fen");
        left += int_of(p, "amount_fen") - int_of(p, "back_fen");
    }
    for (i = 0; st == SQ_OK && i < json_array_size(programmes); i++) {
        p = json_array_get(programmes, i);
        int64_t own = int_of(p, "amount_fen") - int_of(p, "back_fen");
        sum += own;
        st = spread_programme(r, p, share(more, left, sum, own), err);
    }
    for (i = 0; st == SQ_OK && i < r->count; i++)
        if (r->list[i].back_amount_fen == 0 && r->list[i].back_base_fen != 0)
            st = sq_fail(
                err, SQ_E_VERIFY,
                _("voucher %019" PRIu64 " would give back a base without an amount: have its provider return it"),
                r->list[i].voucher);
    return st;
}
