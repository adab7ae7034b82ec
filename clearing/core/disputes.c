/*
 * Cases about items that were paid: an issuer's office says that a provider should not have had the money, or not all of it.
 *
 *   QUERY --answer--> ANSWERED --charge back--> CHARGED --present again--> PRESENTED --arbitration--> ARBITRATION --ruling--> UPHELD
 *                                                                                                                         or DISMISSED
 *   open at any stage:   the provider accepts -> UPHELD      the office withdraws -> WITHDRAWN
 *   QUERY:               a node knows of no such item -> NO_ITEM
 *   silence until the end of the last working day:
 *       QUERY, 5 -> CHARGED     ANSWERED, 10 -> WITHDRAWN     CHARGED, 10 -> UPHELD     PRESENTED, 10 -> WITHDRAWN     ARBITRATION, 20 -> DISMISSED
 *
 * The issuer's node decides. The provider's node has a copy of each case that concerns its providers, and passes on what they
 * say; the issuer's node tells it how the case stands. The home of the invoice is asked once whether so much was claimed on it.
 *
 * Invariants: an item (voucher, provider, invoice) has one open case at most, and none more after one that was charged back or
 * ruled on. What comes back is at most what was asked for, less what the provider has returned since, and at most what is still
 * spent; it is a step of the link to the provider's region in the window that is open, and no return can give it back twice.
 */
#include "clearing/core/issuer.h"

#include <stdio.h>

#include "clearing/base/day.h"

#define EXPIRED_A_STEP 1000u /* each tells the provider's node twice at most */
_Static_assert(EXPIRED_A_STEP <= SQ_TAKEN_MAX, "what cases take back is noted whole");

/* ---- finding ---- */

static int is_open(const struct sq_dispute *d)
{
    return d->state >= SQ_DISPUTE_QUERY && d->state <= SQ_DISPUTE_ARBITRATION;
}

static uint64_t case_hash(uint32_t node, uint64_t number)
{
    uint64_t key[2] = {node, number};
    return sq_hash_key(key, sizeof key);
}

static struct sq_dispute *find(const struct sq_core *core, uint32_t node, uint64_t number)
{
    struct sq_index_cursor c = {.hash = case_hash(node, number)};
    uint32_t row;
    while ((row = sq_index_next(&core->dispute_index, &c)) != SQ_ROW_NONE) {
        struct sq_dispute *d = SQ_ROW(&core->disputes, struct sq_dispute, row);
        if (d->node == node && d->number == number)
            return d;
    }
    return NULL;
}

static uint64_t item_hash(uint32_t provider, uint64_t voucher, const uint8_t *invoice)
{
    uint8_t key[8 + 8 + SQ_INVOICE_CELL];
    sq_put_be64(key, provider);
    sq_put_be64(key + 8, voucher);
    memcpy(key + 16, invoice, SQ_INVOICE_CELL);
    return sq_hash_key(key, sizeof key);
}

/* The newest case that this node decides about an item; NULL: none. */
static struct sq_dispute *case_of(const struct sq_core *core, uint32_t provider, uint64_t voucher,
                                  const uint8_t *invoice)
{
    struct sq_index_cursor c = {.hash = item_hash(provider, voucher, invoice)};
    uint32_t row;
    struct sq_dispute *best = NULL;
    while ((row = sq_index_next(&core->item_index, &c)) != SQ_ROW_NONE) {
        struct sq_dispute *d = SQ_ROW(&core->disputes, struct sq_dispute, row);
        if (d->node == core->self && d->provider == provider && d->voucher == voucher &&
            memcmp(d->invoice, invoice, SQ_INVOICE_CELL) == 0 && (best == NULL || d->number > best->number))
            best = d;
    }
    return best;
}

int sq_dispute_took(const struct sq_core *core, uint32_t provider, uint64_t voucher,
                    const uint8_t invoice[static SQ_INVOICE_CELL])
{
    const struct sq_dispute *d = core->disputes.count != 0 ? case_of(core, provider, voucher, invoice) : NULL;
    return d != NULL && d->taken_fen != 0;
}

void sq_dispute_returned(struct sq_core *core, uint32_t provider, uint64_t voucher,
                         const uint8_t invoice[static SQ_INVOICE_CELL], int64_t fen)
{
    struct sq_dispute *d = core->disputes.count != 0 ? case_of(core, provider, voucher, invoice) : NULL;
    if (d != NULL && is_open(d))
        d->returned_fen += fen;
}

void sq_disputes_recount(struct sq_core *core)
{
    core->disputes_opened = 0;
    core->dispute_next_ms = UINT64_MAX;
    for (uint32_t i = 0; i < core->disputes.count; i++) {
        const struct sq_dispute *d = SQ_ROW(&core->disputes, struct sq_dispute, i);
        if (d->node != core->self)
            continue;
        if (d->number > core->disputes_opened)
            core->disputes_opened = d->number;
        if (is_open(d) && sq_day_end_ms(d->deadline_day) < core->dispute_next_ms)
            core->dispute_next_ms = sq_day_end_ms(d->deadline_day);
    }
}

/* ---- what a step leaves behind ---- */

struct said {
    const char *note;
    const uint8_t *evidence; /* 16 bytes, or NULL */
};

static void keep(struct sq_step *s, struct sq_dispute *d, const struct said *said)
{
    d->entry = s->fx->seq;
    d->since_ms = s->core->now_ms;
    strncpy(d->note, said->note, sizeof d->note - 1);
    d->note[sizeof d->note - 1] = '\0';
    memset(d->evidence, 0, sizeof d->evidence);
    if (said->evidence != NULL)
        memcpy(d->evidence, said->evidence, sizeof d->evidence);
}

static int in_form(const char *note, size_t note_min, ProtobufCBinaryData evidence, struct said *out)
{
    *out = (struct said){note, evidence.len == 16 ? evidence.data : NULL};
    return strlen(note) >= note_min && strlen(note) <= SQ_DISPUTE_NOTE_MAX && (evidence.len == 0 || evidence.len == 16);
}

/* Another node is told how the case stands. */
static sq_status tell(struct sq_step *s, struct sq_dispute *d, uint32_t node)
{
    static const uint8_t none[16];
    Sanquan__V1__DisputeNotice m;
    Sanquan__V1__Item item;
    char code[SQ_USCC_LENGTH + 1] = "";
    if (node == s->core->self)
        return SQ_OK;
    sanquan__v1__dispute_notice__init(&m);
    sanquan__v1__item__init(&item);
    memcpy(code, sq_party_code(sq_party_at(s->core, d->provider)), SQ_USCC_LENGTH);
    item.voucher = d->voucher;
    item.provider = code;
    item.invoice = (ProtobufCBinaryData){SQ_INVOICE_CELL, d->invoice};
    item.service_day = d->service_day;
    item.scenario = d->scenario;
    m.number = d->number;
    m.state = d->state;
    m.deadline_day = d->deadline_day;
    m.item = &item;
    m.amount_fen = d->amount_fen;
    m.taken_fen = d->taken_fen;
    m.note = d->note;
    m.reason = d->reason;
    if (memcmp(d->evidence, none, sizeof none) != 0)
        m.evidence = (ProtobufCBinaryData){sizeof d->evidence, d->evidence};
    return sq_effects_send(s->fx, node, SANQUAN__V1__MESSAGE_TYPE__DISPUTE_NOTICE, &m.base, s->err);
}

static struct sq_rows row_of(const struct sq_dispute *d, const int64_t *fen)
{
    static const int64_t no_base =
        0; /* money comes back; the base stays claimed, so the item is not claimed once more */
    return (struct sq_rows){.count = 1,
                            .voucher = &d->voucher,
                            .amount_fen = fen,
                            .base_fen = &no_base,
                            .invoice = d->invoice,
                            .service_day = &d->service_day,
                            .scenario = &d->scenario};
}

static sq_status take_back(struct sq_step *s, struct sq_dispute *d, int64_t fen)
{
    const int64_t left = fen - d->returned_fen;
    const struct sq_rows row = row_of(d, &left);
    sq_status st = left > 0 ? sq_decide_reserve(s->core, 1, s->err) : SQ_OK;
    if (st != SQ_OK || left <= 0)
        return st;
    d->taken_fen = sq_reverse(s->core, d->provider, &row);
    return d->taken_fen == 0 ? SQ_OK
                             : sq_owe_back(s, d->voucher, d->acquirer,
                                           &(struct sq_claw){.provider = d->provider, .fen = d->taken_fen}, 1);
}

/* How long each stage lasts, in working days, and what silence means. */
static const struct {
    uint32_t days, then;
} stages[] = {
    [SQ_DISPUTE_QUERY] = {5, SQ_DISPUTE_CHARGED},          [SQ_DISPUTE_ANSWERED] = {10, SQ_DISPUTE_WITHDRAWN},
    [SQ_DISPUTE_CHARGED] = {10, SQ_DISPUTE_UPHELD},        [SQ_DISPUTE_PRESENTED] = {10, SQ_DISPUTE_WITHDRAWN},
    [SQ_DISPUTE_ARBITRATION] = {20, SQ_DISPUTE_DISMISSED}, [SQ_DISPUTE_NO_ITEM] = {0, 0},
};

/* The case goes on to `state`; fen: what comes back where that is UPHELD. */
static sq_status enter(struct sq_step *s, struct sq_dispute *d, uint32_t state, int64_t fen, const struct said *said)
{
    struct sq_core *core = s->core;
    d->state = state;
    d->deadline_day = stages[state].days != 0 ? sq_workday_after(core, core->today, stages[state].days) : 0;
    d->charged |= state == SQ_DISPUTE_CHARGED;
    keep(s, d, said);
    if (d->deadline_day != 0 && sq_day_end_ms(d->deadline_day) < core->dispute_next_ms)
        core->dispute_next_ms = sq_day_end_ms(d->deadline_day);
    sq_status st = state == SQ_DISPUTE_UPHELD ? take_back(s, d, fen) : SQ_OK;
    return st != SQ_OK ? st : tell(s, d, d->acquirer);
}

sq_status sq_disputes_expire(struct sq_step *s)
{
    static const struct said nothing = {"", NULL};
    struct sq_core *core = s->core;
    sq_status st = SQ_OK;
    uint32_t done = 0;
    for (uint32_t i = 0; st == SQ_OK && done < EXPIRED_A_STEP && i < core->disputes.count; i++) {
        struct sq_dispute *d = SQ_ROW(&core->disputes, struct sq_dispute, i);
        if (d->node != core->self || !is_open(d) || sq_day_end_ms(d->deadline_day) > core->now_ms)
            continue;
        st = enter(s, d, stages[d->state].then, d->amount_fen, &nothing);
        done++;
    }
    sq_disputes_recount(core);
    return st;
}

/* ---- opening ---- */

static struct sq_dispute *add(struct sq_step *s, const struct sq_dispute *from)
{
    struct sq_core *core = s->core;
    uint32_t number;
    struct sq_dispute *d = sq_table_add(&core->disputes, &number);
    SQ_ASSERT(d != NULL); /* reserve */
    *d = *from;
    d->opened_ms = core->now_ms;
    sq_index_put(&core->dispute_index, case_hash(d->node, d->number), number);
    sq_index_put(&core->item_index, item_hash(d->provider, d->voucher, d->invoice), number);
    return d;
}

static sq_status reserve(struct sq_step *s)
{
    sq_status st = sq_table_reserve(&s->core->disputes, 1, s->err);
    if (st == SQ_OK)
        st = sq_index_reserve(&s->core->dispute_index, 1, s->err);
    return st != SQ_OK ? st : sq_index_reserve(&s->core->item_index, 1, s->err);
}

static uint32_t provider_named(const struct sq_core *core, const char *code)
{
    char name[SQ_NAME_SIZE_MAX + 1] = "provider:";
    return sq_uscc_valid(code) ? sq_party_find(core, strcat(name, code)) : SQ_ROW_NONE;
}

/* The item, if this is one; the provider may be unknown. */
static int item_of(const struct sq_core *core, const Sanquan__V1__Item *m, struct sq_dispute *out,
                   struct sq_invoice_key *key)
{
    if (m == NULL || m->invoice.len != SQ_INVOICE_CELL || !sq_invoice_key_of(m->invoice.data, key) ||
        !sq_day_valid(m->service_day))
        return 0;
    *out = (struct sq_dispute){.voucher = m->voucher,
                               .service_day = m->service_day,
                               .scenario = m->scenario,
                               .provider = provider_named(core, m->provider)};
    memcpy(out->invoice, m->invoice.data, SQ_INVOICE_CELL);
    return 1;
}

/* As the home of the invoice: has this seller claimed so much on it under the voucher's programme? Elsewhere it is not known. */
static unsigned check_register(const struct sq_core *core, const struct sq_dispute *d, const struct sq_invoice_key *key)
{
    const struct sq_invoice_claim claim = {.key = *key,
                                           .programme = sq_programme_of_voucher(core, d->voucher),
                                           .seller = d->provider,
                                           .amount_fen = d->amount_fen,
                                           .acquirer = sq_party_at(core, d->provider)->node};
    return sq_node_of_invoice(core, key) == core->self ? sq_invoice_check_return(&core->invoices, &claim) : SQ_OK;
}

static sq_status check_item(struct sq_step *s, const Sanquan__V1__Dispute *m, struct sq_dispute *d,
                            struct sq_invoice_key *key)
{
    struct sq_core *core = s->core;
    if (!item_of(core, m->item, d, key))
        return sq_refuse(s, SQ_R_DISPUTE_TERMS, "no item is named");
    uint32_t programme = sq_programme_of_voucher(core, d->voucher);
    if (programme == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_UNKNOWN_PROGRAMME, "voucher %019" PRIu64, d->voucher);
    sq_status st = sq_check_authority(s, sq_programme_at(core, programme)->issuer);
    if (st != SQ_OK)
        return st;
    if (m->reason < 1 || m->reason > SQ_DISPUTE_REASONS || m->amount_fen <= 0 || m->amount_fen > SQ_AMOUNT_MAX_FEN ||
        m->number != 0 || *m->node != '\0')
        return sq_refuse(s, SQ_R_DISPUTE_TERMS, "reason %u, %" PRId64 " fen", m->reason, m->amount_fen);
    if (d->provider == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_NO_MANDATE, "provider:%.40s", m->item->provider);
    d->amount_fen = m->amount_fen;
    d->reason = m->reason;
    const struct sq_dispute *before = case_of(core, d->provider, d->voucher, d->invoice);
    if (before != NULL && (is_open(before) || before->charged || before->state == SQ_DISPUTE_UPHELD))
        return sq_refuse(s, SQ_R_DISPUTED, "case %" PRIu64 " is about this item", before->number);
    const struct sq_rows row = row_of(d, &d->amount_fen);
    unsigned refused = sq_reversal_check(core, d->provider, &row);
    if (refused == SQ_OK)
        refused = check_register(core, d, key);
    return refused == SQ_OK ? SQ_OK
                            : sq_refuse(s, (sq_status)refused, "%" PRId64 " fen of an item on voucher %019" PRIu64,
                                        d->amount_fen, d->voucher);
}

static sq_status open_case(struct sq_step *s, const Sanquan__V1__Dispute *m, const struct said *said)
{
    struct sq_core *core = s->core;
    struct sq_dispute fresh;
    struct sq_invoice_key key;
    sq_status st = check_item(s, m, &fresh, &key);
    if (st == SQ_OK)
        st = reserve(s);
    if (st != SQ_OK)
        return st;
    fresh.number = ++core->disputes_opened;
    fresh.node = core->self;
    fresh.acquirer = sq_party_at(core, fresh.provider)->node;
    struct sq_dispute *d = add(s, &fresh);
    uint32_t home = sq_node_of_invoice(core, &key);
    st = enter(s, d, SQ_DISPUTE_QUERY, 0, said);
    if (st == SQ_OK && home != d->acquirer)
        st = tell(s, d, home);
    Sanquan__V1__Answer answer;
    sanquan__v1__answer__init(&answer);
    answer.count = 1;
    answer.number = d->number;
    return st != SQ_OK ? st : sq_answer(s, s->party, &answer);
}

/* ---- one step of a case ---- */

#define BIT(state) (1u << (state))
#define OPEN_STATES                                                                                                    \
    (BIT(SQ_DISPUTE_QUERY) | BIT(SQ_DISPUTE_ANSWERED) | BIT(SQ_DISPUTE_CHARGED) | BIT(SQ_DISPUTE_PRESENTED) |          \
     BIT(SQ_DISPUTE_ARBITRATION))

static const struct move {
    uint32_t role, from, to;
} moves[] = {
    [SQ_DISPUTE_ANSWER] = {SQ_ROLE_PROVIDER, BIT(SQ_DISPUTE_QUERY), SQ_DISPUTE_ANSWERED},
    [SQ_DISPUTE_ACCEPT] = {SQ_ROLE_PROVIDER, OPEN_STATES, SQ_DISPUTE_UPHELD},
    [SQ_DISPUTE_CHARGE] = {SQ_ROLE_ISSUER, BIT(SQ_DISPUTE_ANSWERED), SQ_DISPUTE_CHARGED},
    [SQ_DISPUTE_PRESENT] = {SQ_ROLE_PROVIDER, BIT(SQ_DISPUTE_CHARGED), SQ_DISPUTE_PRESENTED},
    [SQ_DISPUTE_ARBITRATE] = {SQ_ROLE_ISSUER, BIT(SQ_DISPUTE_PRESENTED), SQ_DISPUTE_ARBITRATION},
    [SQ_DISPUTE_WITHDRAW] = {SQ_ROLE_ISSUER, OPEN_STATES, SQ_DISPUTE_WITHDRAWN},
    [SQ_DISPUTE_RULE] = {SQ_ROLE_REGULATOR, BIT(SQ_DISPUTE_ARBITRATION), SQ_DISPUTE_UPHELD},
    [SQ_DISPUTE_DENY] = {SQ_ROLE_NODE, BIT(SQ_DISPUTE_QUERY), SQ_DISPUTE_NO_ITEM},
};

/* May someone of this role do that with the case now? */
static sq_status check_move(struct sq_step *s, const struct sq_dispute *d, const Sanquan__V1__Dispute *m, uint32_t role)
{
    if (m->action >= sizeof moves / sizeof *moves || moves[m->action].role != role)
        return sq_refuse(s, SQ_R_NOT_PERMITTED, "action %u in a case", m->action);
    if (d == NULL || !(moves[m->action].from & BIT(d->state)))
        return sq_refuse(s, SQ_R_DISPUTE_STATE, "case %.10s/%" PRIu64 ", action %u", m->node, m->number, m->action);
    if (m->item != NULL || m->reason != 0 || m->amount_fen < 0 ||
        m->amount_fen > (m->action == SQ_DISPUTE_RULE ? d->amount_fen : 0))
        return sq_refuse(s, SQ_R_DISPUTE_TERMS, "%" PRId64 " fen, or an item, with action %u", m->amount_fen,
                         m->action);
    return SQ_OK;
}

static sq_status move(struct sq_step *s, struct sq_dispute *d, const Sanquan__V1__Dispute *m, const struct said *said)
{
    if (m->action != SQ_DISPUTE_RULE)
        return enter(s, d, moves[m->action].to, d->amount_fen, said);
    return enter(s, d, m->amount_fen != 0 ? SQ_DISPUTE_UPHELD : SQ_DISPUTE_DISMISSED, m->amount_fen, said);
}

/* ---- messages ---- */

/* May this party speak in the case? */
static sq_status check_speaker(struct sq_step *s, const struct sq_dispute *d, const Sanquan__V1__Dispute *m)
{
    const struct sq_party *p = sq_party_at(s->core, s->party);
    if (d == NULL || (p->role == SQ_ROLE_PROVIDER ? d->provider != s->party : d->node != s->core->self))
        return sq_refuse(s, SQ_R_DISPUTE_STATE, "case %.10s/%" PRIu64, m->node,
                         m->number); /* of others': whether it is there is none of its business */
    return p->role != SQ_ROLE_ISSUER
               ? SQ_OK
               : sq_check_authority(s, sq_programme_at(s->core, sq_programme_of_voucher(s->core, d->voucher))->issuer);
}

sq_status sq_on_dispute(struct sq_step *s, const Sanquan__V1__Dispute *m)
{
    struct sq_core *core = s->core;
    struct said said;
    if (!in_form(m->note, 1, m->evidence, &said))
        return sq_refuse(s, SQ_R_NOTE, "note of %zu bytes, evidence of %zu", strlen(m->note), m->evidence.len);
    if (m->action == SQ_DISPUTE_OPEN)
        return open_case(s, m, &said);
    uint32_t node = sq_node_of_code(core, m->node);
    struct sq_dispute *d = node != SQ_ROW_NONE ? find(core, node, m->number) : NULL;
    sq_status st = check_speaker(s, d, m);
    if (st == SQ_OK)
        st = check_move(s, d, m, sq_party_at(core, s->party)->role);
    if (st != SQ_OK)
        return st;
    st = d->node == core->self
             ? move(s, d, m, &said)
             : sq_effects_send(s->fx, d->node, SANQUAN__V1__MESSAGE_TYPE__DISPUTE_REPLY, &m->base, s->err);
    return st != SQ_OK ? st : sq_answer_accepted(s, 1);
}

sq_status sq_on_dispute_reply(struct sq_step *s, uint32_t from, const Sanquan__V1__Dispute *m)
{
    struct sq_core *core = s->core;
    struct sq_dispute *d = sq_node_of_code(core, m->node) == core->self ? find(core, core->self, m->number) : NULL;
    struct sq_invoice_key key;
    struct said said;
    if (!in_form(m->note, 1, m->evidence, &said))
        return sq_refuse(s, SQ_R_NOTE, "note of %zu bytes, evidence of %zu", strlen(m->note), m->evidence.len);
    int its_home = d != NULL && m->action == SQ_DISPUTE_DENY && sq_invoice_key_of(d->invoice, &key) &&
                   sq_node_of_invoice(core, &key) == from;
    if (d == NULL || (from != d->acquirer && !its_home))
        return sq_refuse(s, SQ_R_DISPUTE_STATE, "case %.10s/%" PRIu64, m->node, m->number);
    sq_status st = check_move(s, d, m, m->action == SQ_DISPUTE_DENY ? SQ_ROLE_NODE : SQ_ROLE_PROVIDER);
    return st != SQ_OK ? st : move(s, d, m, &said);
}

static sq_status deny(struct sq_step *s, uint32_t to, uint64_t number, const char *why)
{
    Sanquan__V1__Dispute m;
    char code[8], note[SQ_DISPUTE_NOTE_MAX + 1];
    sanquan__v1__dispute__init(&m);
    snprintf(code, sizeof code, "%s", sq_node_at(s->core, to)->code);
    snprintf(note, sizeof note, "%s", why);
    m.action = SQ_DISPUTE_DENY;
    m.node = code;
    m.number = number;
    m.note = note;
    return sq_effects_send(s->fx, to, SANQUAN__V1__MESSAGE_TYPE__DISPUTE_REPLY, &m.base, s->err);
}

/* A case that is new here: of a provider of this node, or of an invoice that is at home here. */
static sq_status hear_of(struct sq_step *s, uint32_t from, const Sanquan__V1__DisputeNotice *m,
                         struct sq_dispute *fresh, const struct sq_invoice_key *key, const struct said *said)
{
    struct sq_core *core = s->core;
    if (m->state != SQ_DISPUTE_QUERY || m->amount_fen <= 0 || m->amount_fen > SQ_AMOUNT_MAX_FEN)
        return sq_refuse(s, SQ_R_DISPUTE_STATE, "case %" PRIu64 " is not new, or about %" PRId64 " fen", m->number,
                         m->amount_fen);
    if (fresh->provider == SQ_ROW_NONE)
        return deny(s, from, m->number, "provider is not known here");
    *fresh = (struct sq_dispute){.number = m->number,
                                 .voucher = fresh->voucher,
                                 .amount_fen = m->amount_fen,
                                 .node = from,
                                 .acquirer = core->self,
                                 .provider = fresh->provider,
                                 .service_day = fresh->service_day,
                                 .scenario = fresh->scenario,
                                 .reason = m->reason,
                                 .state = m->state,
                                 .deadline_day = m->deadline_day};
    memcpy(fresh->invoice, m->item->invoice.data, SQ_INVOICE_CELL);
    if (sq_party_at(core, fresh->provider)->node == core->self) {
        sq_status st = reserve(s);
        if (st != SQ_OK)
            return st;
        keep(s, add(s, fresh), said);
    }
    return check_register(core, fresh, key) == SQ_OK
               ? SQ_OK
               : deny(s, from, m->number, "so much was not claimed on this invoice");
}

sq_status sq_on_dispute_notice(struct sq_step *s, uint32_t from, const Sanquan__V1__DisputeNotice *m)
{
    struct sq_core *core = s->core;
    struct sq_dispute fresh;
    struct sq_invoice_key key;
    struct said said;
    if (!item_of(core, m->item, &fresh, &key) || !in_form(m->note, 0, m->evidence, &said) ||
        m->state < SQ_DISPUTE_QUERY || m->state > SQ_DISPUTE_NO_ITEM)
        return sq_refuse(s, SQ_R_DISPUTE_TERMS, "notice of case %" PRIu64, m->number);
    uint32_t programme = sq_programme_of_voucher(core, fresh.voucher);
    if (programme == SQ_ROW_NONE || sq_programme_at(core, programme)->node != from)
        return sq_refuse(s, SQ_R_NOT_YOUR_VOUCHER, "case %" PRIu64 " about voucher %019" PRIu64, m->number,
                         fresh.voucher);
    struct sq_dispute *d = find(core, from, m->number);
    if (d == NULL)
        return hear_of(s, from, m, &fresh, &key, &said);
    d->state = m->state;
    d->deadline_day = m->deadline_day;
    d->taken_fen = m->taken_fen;
    keep(s, d, &said);
    return SQ_OK;
}

/* ---- reading ---- */

uint32_t sq_core_dispute_count(const struct sq_core *core)
{
    return core->disputes.count;
}

void sq_core_dispute(const struct sq_core *core, uint32_t i, struct sq_dispute_view *out)
{
    const struct sq_dispute *d = SQ_ROW(&core->disputes, struct sq_dispute, i);
    *out = (struct sq_dispute_view){.node = d->node,
                                    .acquirer = d->acquirer,
                                    .number = d->number,
                                    .voucher = d->voucher,
                                    .provider = sq_party_at(core, d->provider)->name,
                                    .service_day = d->service_day,
                                    .reason = d->reason,
                                    .state = (enum sq_dispute_state)d->state,
                                    .deadline_day = d->deadline_day,
                                    .amount_fen = d->amount_fen,
                                    .returned_fen = d->returned_fen,
                                    .taken_fen = d->taken_fen,
                                    .opened_ms = d->opened_ms,
                                    .since_ms = d->since_ms,
                                    .entry = d->entry,
                                    .invoice = d->invoice,
                                    .evidence = d->evidence,
                                    .note = d->note};
}
