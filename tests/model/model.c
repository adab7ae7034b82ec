/*
 * Entries one after another: who says what, in which order, and what the journal should say it came to.
 */
#include "tests/model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/hash.h"
#include "tests/model/internal.h"

void *model_grow(void *rows, size_t count, size_t *capacity, size_t row_size)
{
    if (count < *capacity)
        return rows;
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    rows = realloc(rows, *capacity * row_size);
    SQ_ASSERT(rows != NULL);
    return rows;
}

void model_wrong(struct m_verdict *v, const char *format, ...)
{
    va_list args;
    if (v->why[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(v->why, sizeof v->why, format, args);
    va_end(args);
}

struct model *model_new(void)
{
    struct model *m = calloc(1, sizeof *m);
    SQ_ASSERT(m != NULL);
    return m;
}

void model_free(struct model *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->voucher_count; i++) {
        free(m->voucher[i].use);
        free(m->voucher[i].hold);
        free(m->voucher[i].mandate);
    }
    for (size_t i = 0; i < m->link_count; i++) {
        free(m->link[i].owes);
        free(m->link[i].owed);
    }
    for (size_t i = 0; i < m->batch_count; i++)
        model_batch_free(&m->batch[i]);
    for (size_t i = 0; i < m->programme_count; i++)
        free(m->programme[i].terms);
    free(m->party);
    free(m->host);
    free(m->link);
    free(m->programme);
    free(m->voucher);
    free(m->claim);
    free(m->accepted);
    free(m->batch);
    free(m);
}

/* ---- finding ---- */

/* yyyymmdd in UTC+8, a year at a time. */
uint32_t model_day(uint64_t ms)
{
    static const uint32_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t days = (ms + 8ull * 3600000) / 86400000;
    uint32_t year = 1970, month = 0;
    for (;; year++) {
        uint32_t leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if (days < 365 + leap)
            break;
        days -= 365 + leap;
    }
    uint32_t leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (; days >= lengths[month] + (month == 1 ? leap : 0); month++)
        days -= lengths[month] + (month == 1 ? leap : 0);
    return year * 10000 + (month + 1) * 100 + (uint32_t)days + 1;
}

const char *model_node_of_issuer(const struct model *m, uint32_t issuer)
{
    for (size_t i = 0; i < m->host_count; i++)
        if (m->host[i].issuer == issuer)
            return m->host[i].node;
    return NULL;
}

struct m_programme *model_programme(const struct model *m, uint32_t issuer, uint32_t number)
{
    for (size_t i = 0; i < m->programme_count; i++)
        if (m->programme[i].issuer == issuer && m->programme[i].number == number)
            return &m->programme[i];
    return NULL;
}

struct m_programme *model_programme_of(const struct model *m, uint64_t voucher)
{
    uint64_t programme = voucher / 1000000000u;
    return programme / 10000 > 999999
               ? NULL
               : model_programme(m, (uint32_t)(programme / 10000), (uint32_t)(programme % 10000));
}

struct m_voucher *model_voucher_at(const struct model *m, uint64_t number)
{
    for (size_t i = 0; i < m->voucher_count; i++)
        if (m->voucher[i].number == number)
            return &m->voucher[i];
    return NULL;
}

struct m_link *model_link_to(const struct model *m, const char *node)
{
    for (size_t i = 0; i < m->link_count; i++)
        if (strcmp(m->link[i].node, node) == 0)
            return &m->link[i];
    return NULL;
}

static struct m_party *party(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->party_count; i++)
        if (strcmp(m->party[i].name, name) == 0)
            return &m->party[i];
    return NULL;
}

static struct m_party *add_party(struct model *m, const char *name, const char *node)
{
    struct m_party p = {.has_key = 1};
    snprintf(p.name, sizeof p.name, "%s", name);
    snprintf(p.node, sizeof p.node, "%s", node);
    ADD(m->party, p);
    return &m->party[m->party_count - 1];
}

/* ---- genesis, enrolment, programmes, vouchers, mandates ---- */

static void on_genesis(struct model *m, const Sanquan__V1__Genesis *g)
{
    snprintf(m->self, sizeof m->self, "%s", g->self);
    for (size_t i = 0; i < g->n_nodes; i++) {
        struct m_link l = {.owes_settled = 0};
        char name[MODEL_NAME];
        snprintf(l.node, sizeof l.node, "%s", g->nodes[i]->code);
        ADD(m->link, l);
        snprintf(name, sizeof name, "node:%s", g->nodes[i]->code);
        add_party(m, name, g->nodes[i]->code);
        for (size_t k = 0; k < g->nodes[i]->n_issuers; k++) {
            struct m_host h = {.issuer = (uint32_t)strtoul(g->nodes[i]->issuers[k], NULL, 10)};
            memcpy(h.node, l.node, sizeof h.node);
            ADD(m->host, h);
        }
    }
    for (size_t i = 0; i < g->n_parties; i++)
        add_party(m, g->parties[i]->name, g->parties[i]->node);
}

static void accept(struct m_verdict *v, uint64_t count)
{
    v->answered = 1;
    v->answer.count = count;
}

static void on_enrol(struct model *m, const Sanquan__V1__Enrol *in, struct m_verdict *v)
{
    for (size_t i = 0; i < in->n_parties; i++)
        if (party(m, in->parties[i]->name) == NULL)
            add_party(m, in->parties[i]->name, in->parties[i]->node);
    accept(v, in->n_parties);
}

static struct m_terms terms_of(const Sanquan__V1__Programme *in)
{
    struct m_terms t = {.from_day = in->from_day,
                        .until_day = in->until_day,
                        .rate_bp = in->rate_bp,
                        .cap_claim = in->cap_claim_fen,
                        .cap_year = in->cap_year_fen,
                        .cap_total = in->cap_total_fen,
                        .min_claim = in->min_claim_fen,
                        .service_count = in->n_services,
                        .region_count = in->n_provider_regions};
    for (size_t i = 0; i < in->n_services && i < 64; i++)
        t.services[i] = in->services[i];
    for (size_t i = 0; i < in->n_provider_regions && i < 40; i++)
        t.regions[i] = in->provider_regions[i];
    return t;
}

static int is_plain(const Sanquan__V1__Programme *in)
{
    return in->n_conditions == 0 && in->n_tiers == 0 && in->n_windows == 0 && in->validity_days == 0 &&
           in->support_months == 0 && in->n_grant_documents == 0 && in->n_redeem_documents == 0 &&
           in->sanction_months == 0 && in->n_sanction_causes == 0 && in->related_hops == 0;
}

static uint32_t put_programme(struct model *m, const Sanquan__V1__Programme *in, struct m_verdict *v)
{
    struct m_programme *p = model_programme(m, in->issuer, in->number);
    int64_t reserved, spent;
    if (!is_plain(in))
        model_wrong(v, "programme %06u/%u has terms that the model does not know", in->issuer, in->number);
    if (in->version != (p != NULL ? p->version : 0) + 1)
        return SQ_R_PROGRAMME_VERSION;
    if (p == NULL) {
        struct m_programme fresh = {.issuer = in->issuer, .number = in->number, .kind = in->kind};
        ADD(m->programme, fresh);
        p = &m->programme[m->programme_count - 1];
    }
    model_budget_sums(m, p, &reserved, &spent);
    if (in->kind != p->kind || (in->pool_fen != 0 && in->pool_fen < reserved + spent))
        return SQ_R_PROGRAMME_TERMS;
    struct m_terms terms = terms_of(in);
    ADD(p->terms, terms);
    p->version = in->version;
    p->stacking = in->stacking;
    p->stack_limit_bp = in->stack_limit_bp;
    p->pool = in->pool_fen;
    return 0;
}

static void on_grant(struct model *m, const Sanquan__V1__Grant *in, struct m_verdict *v)
{
    uint64_t serials = 0, first = ((uint64_t)in->issuer * 10000 + in->programme) * 1000000000u;
    if (model_programme(m, in->issuer, in->programme) == NULL) {
        v->status = SQ_R_UNKNOWN_PROGRAMME;
        return;
    }
    for (size_t i = 0; i < m->voucher_count; i++)
        serials += m->voucher[i].number > first && m->voucher[i].number < first + 1000000000u;
    if (in->first_serial != serials + 1)
        v->status = SQ_R_SERIAL_GAP;
    for (size_t i = 0; v->status == 0 && i < in->n_holders; i++) {
        char name[MODEL_NAME];
        snprintf(name, sizeof name, "holder:%s", in->holders[i]);
        const struct m_party *p = party(m, name);
        if (p == NULL || !p->has_key)
            v->status = SQ_R_UNKNOWN_HOLDER;
    }
    if (v->status != 0)
        return;
    for (size_t i = 0; i < in->n_face_fen; i++) {
        struct m_voucher fresh = {
            .number = first + in->first_serial + i, .face = in->face_fen[i], .until_day = in->until_day[i]};
        snprintf(fresh.holder, sizeof fresh.holder, "%s", in->holders[in->holder[i]]);
        ADD(m->voucher, fresh);
    }
    accept(v, in->n_face_fen);
}

static void on_mandate(struct model *m, const char *sender, const Sanquan__V1__Mandate *in, struct m_verdict *v)
{
    for (size_t i = 0; i < in->n_voucher; i++) {
        const struct m_voucher *held = model_voucher_at(m, in->voucher[i]);
        if (held == NULL || strcmp(held->holder, strchr(sender, ':') + 1) != 0) {
            v->status = held == NULL ? SQ_R_UNKNOWN_VOUCHER : SQ_R_NOT_YOUR_VOUCHER;
            return;
        }
    }
    for (size_t i = 0; i < in->n_voucher; i++) {
        struct m_voucher *held = model_voucher_at(m, in->voucher[i]);
        struct m_mandate fresh = {.limit = in->limit_fen[i], .until_ms = in->until_ms[i]};
        size_t k = 0;
        snprintf(fresh.provider, sizeof fresh.provider, "%s", in->provider);
        while (k < held->mandate_count && strcmp(held->mandate[k].provider, fresh.provider) != 0)
            k++;
        if (k == held->mandate_count)
            ADD(held->mandate, fresh);
        else
            held->mandate[k] = fresh;
    }
    accept(v, in->n_voucher);
}

static void on_revoke(struct model *m, const char *sender, const Sanquan__V1__Revoke *in, struct m_verdict *v)
{
    for (size_t i = 0; i < in->n_voucher; i++) {
        const struct m_voucher *x = model_voucher_at(m, in->voucher[i]);
        if (x == NULL || in->voucher[i] / 10000000000000u != strtoul(strchr(sender, ':') + 1, NULL, 10)) {
            v->status = x == NULL ? SQ_R_UNKNOWN_VOUCHER : SQ_R_NOT_YOUR_ISSUER;
            return;
        }
    }
    for (size_t i = 0; i < in->n_voucher; i++)
        model_voucher_at(m, in->voucher[i])->revoked = 1;
    accept(v, in->n_voucher);
}

static void on_programme(struct model *m, const char *sender, const Sanquan__V1__Programme *in, struct m_verdict *v)
{
    const char *host = model_node_of_issuer(m, in->issuer);
    if (strtoul(strchr(sender, ':') + 1, NULL, 10) != in->issuer || host == NULL || strcmp(host, m->self) != 0)
        v->status = SQ_R_NOT_YOUR_ISSUER;
    else if ((v->status = put_programme(m, in, v)) == 0)
        accept(v, 1);
}

/* ---- one entry ---- */

static int allowed(const struct model *m, const struct m_party *p, uint32_t type)
{
    int home = strcmp(p->node, m->self) == 0;
    switch (type) {
    case SANQUAN__V1__MESSAGE_TYPE__PROGRAMME:
    case SANQUAN__V1__MESSAGE_TYPE__GRANT:
    case SANQUAN__V1__MESSAGE_TYPE__REVOKE:
        return strncmp(p->name, "issuer:", 7) == 0;
    case SANQUAN__V1__MESSAGE_TYPE__MANDATE:
        return strncmp(p->name, "holder:", 7) == 0;
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
        return strncmp(p->name, "provider:", 9) == 0 && home;
    case SANQUAN__V1__MESSAGE_TYPE__ENROL:
    case SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT:
    case SANQUAN__V1__MESSAGE_TYPE__CONFIRM:
        return strncmp(p->name, "operator:", 9) == 0 && home;
    default:
        return type >= SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE && type < SANQUAN__V1__MESSAGE_TYPE__HELLO_OK &&
               strncmp(p->name, "node:", 5) == 0 && !home;
    }
}

static void dispatch(struct model *m, const struct m_party *p, uint64_t id, uint32_t type, const ProtobufCMessage *body,
                     struct m_verdict *v)
{
    switch (type) {
    case SANQUAN__V1__MESSAGE_TYPE__PROGRAMME:
        on_programme(m, p->name, (const Sanquan__V1__Programme *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__ENROL:
        on_enrol(m, (const Sanquan__V1__Enrol *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__GRANT:
        on_grant(m, (const Sanquan__V1__Grant *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__MANDATE:
        on_mandate(m, p->name, (const Sanquan__V1__Mandate *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__REVOKE:
        on_revoke(m, p->name, (const Sanquan__V1__Revoke *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
        model_on_batch(m, p->name, id, (const Sanquan__V1__Batch *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE:
        v->status = put_programme(m, (const Sanquan__V1__Programme *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__REGISTER:
        model_on_register(m, p->node, (const Sanquan__V1__Register *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__REGISTERED:
        model_on_registered(m, p->node, (const Sanquan__V1__Registered *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__CLEAR:
        model_on_clear(m, p->node, (const Sanquan__V1__Clear *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__DECIDED:
        model_on_decided(m, p->node, (const Sanquan__V1__Decided *)body, v);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__UNREGISTER:
        model_on_unregister(m, (const Sanquan__V1__Unregister *)body);
        break;
    default: /* settlement: the network's affair */
        v->any_status = 1;
        break;
    }
}

/* The message in the entry's envelope, decided again. */
static void take_message(struct model *m, const struct model_entry *e, const Sanquan__V1__Outcome *outcome,
                         struct m_verdict *v)
{
    Sanquan__V1__Envelope *envelope = sanquan__v1__envelope__unpack(NULL, e->input.size, e->input.data);
    Sanquan__V1__Header *h =
        envelope != NULL ? sanquan__v1__header__unpack(NULL, envelope->header.len, envelope->header.data) : NULL;
    struct m_party *p = h != NULL ? party(m, h->sender) : NULL;
    const ProtobufCMessageDescriptor *shape = h != NULL ? sq_wire_type(h->type) : NULL;
    ProtobufCMessage *body = NULL;
    if (p == NULL || shape == NULL || h->type != e->type || h->id != p->last_id + 1) {
        model_wrong(v, "a message of nobody, of no type, or out of order");
    } else {
        p->last_id = h->id;
        v->answer.id = h->id;
        int peer = strncmp(p->name, "node:", 5) == 0, canonical = outcome->status != SQ_R_MALFORMED;
        body = canonical ? protobuf_c_message_unpack(shape, NULL, envelope->body.len, envelope->body.data) : NULL;
        if (!allowed(m, p, h->type))
            v->status = SQ_R_NOT_PERMITTED;
        else if (!canonical || (peer && outcome->status != 0))
            v->any_status = 1; /* spelling is not judged here; nothing changes */
        else if (body == NULL)
            model_wrong(v, "a body that does not unpack was taken");
        else
            dispatch(m, p, h->id, h->type, body, v);
    }
    if (body != NULL)
        protobuf_c_message_free_unpacked(body, NULL);
    if (h != NULL)
        sanquan__v1__header__free_unpacked(h, NULL);
    if (envelope != NULL)
        sanquan__v1__envelope__free_unpacked(envelope, NULL);
}

static int was_sent(const Sanquan__V1__Outcome *o, const Sanquan__V1__Answer *a)
{
    uint8_t hash[32];
    size_t size = sanquan__v1__answer__get_packed_size(a);
    uint8_t *bytes = malloc(size + 1);
    int found = 0;
    SQ_ASSERT(bytes != NULL);
    sanquan__v1__answer__pack(a, bytes);
    sq_sha256(bytes, size, hash);
    free(bytes);
    for (size_t i = 0; i + 32 <= o->sent.len; i += 32)
        found |= memcmp(o->sent.data + i, hash, 32) == 0;
    return found;
}

static void compare(const Sanquan__V1__Outcome *o, struct m_verdict *v)
{
    uint8_t some = 0;
    if (!v->any_status && o->status != v->status)
        model_wrong(v, "the journal says %s, it should be %s", sq_status_name(o->status), sq_status_name(v->status));
    for (size_t i = 0; i < v->code_count; i++)
        some |= v->code[i];
    if (o->listed != (v->row != NULL) || o->n_row != (v->row != NULL ? v->code_count : 0))
        model_wrong(v, "the journal lists %zu rows, not %zu", o->n_row, v->row != NULL ? v->code_count : 0);
    for (size_t i = 0; i < o->n_row && v->why[0] == '\0'; i++)
        if (o->row[i] != v->row[i])
            model_wrong(v, "the journal lists row %u, not %u", o->row[i], v->row[i]);
    size_t want = some != 0 ? v->code_count : 0;
    if (!v->any_status && o->code.len != want && v->why[0] == '\0')
        model_wrong(v, "the journal has %zu codes, there should be %zu", o->code.len, want);
    for (size_t i = 0; i < want && v->why[0] == '\0' && !v->any_status; i++)
        if (o->code.data[i] != v->code[i])
            model_wrong(v, "row %zu: the journal says %s, it should be %s", i,
                        o->code.data[i] == PAYLOAD_WAITS ? "waits" : sq_status_name(o->code.data[i]),
                        v->code[i] == PAYLOAD_WAITS ? "waits" : sq_status_name(v->code[i]));
    if (v->answered && v->status == 0 && v->why[0] == '\0' && !was_sent(o, &v->answer))
        model_wrong(v, "no answer to request %" PRIu64 " that accepts %" PRIu64 " rows of %" PRId64 " fen",
                    v->answer.id, v->answer.count, v->answer.amount_fen);
}

/* All but bundles are the settlement's affair, or nothing that the model follows. */
static void on_tick(struct model *m, sq_bytes body, struct m_verdict *v)
{
    Sanquan__V1__Tick *t = sanquan__v1__tick__unpack(NULL, body.size, body.data);
    SQ_ASSERT(t != NULL);
    if (t->reason == 7)
        model_on_bundles_due(m, t->batch, v);
    else
        v->any_status = 1;
    sanquan__v1__tick__free_unpacked(t, NULL);
}

int model_take(struct model *m, const struct model_entry *e, char *why, size_t why_size)
{
    struct m_verdict v = {.status = 0};
    Sanquan__V1__Outcome *outcome = sanquan__v1__outcome__unpack(NULL, e->outcome.size, e->outcome.data);
    sanquan__v1__answer__init(&v.answer);
    v.answer.seq = e->seq;
    if (outcome == NULL || e->seq != m->seq + 1 || e->now_ms < m->now_ms) {
        model_wrong(&v, "entry %" PRIu64 " at %" PRIu64 " ms does not follow %" PRIu64 " at %" PRIu64 " ms", e->seq,
                    e->now_ms, m->seq, m->now_ms);
    } else {
        m->seq = e->seq;
        m->now_ms = e->now_ms;
        if (e->type == SANQUAN__V1__MESSAGE_TYPE__GENESIS) {
            Sanquan__V1__Genesis *g = sanquan__v1__genesis__unpack(NULL, e->input.size, e->input.data);
            SQ_ASSERT(g != NULL);
            on_genesis(m, g);
            sanquan__v1__genesis__free_unpacked(g, NULL);
        } else if (e->type == SANQUAN__V1__MESSAGE_TYPE__TICK) {
            on_tick(m, e->input, &v);
        } else if (e->type == SANQUAN__V1__MESSAGE_TYPE__REJECTED) {
            m->totals.rejected++;
        } else {
            take_message(m, e, outcome, &v);
        }
        compare(outcome, &v);
    }
    if (v.why[0] != '\0')
        snprintf(why, why_size, "entry %" PRIu64 ", type %u: %s", e->seq, e->type, v.why);
    free(v.code);
    free(v.row);
    free(v.answer.code.data);
    if (outcome != NULL)
        sanquan__v1__outcome__free_unpacked(outcome, NULL);
    return v.why[0] != '\0';
}
