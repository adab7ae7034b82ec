#include "ops/cli/batch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ops/cli/text.h"
#include "ops/common/programme_yaml.h"
#include "peers/crypto.h"

#define ROW_FEN_MAX     10000000000000ll    /* what a node takes in a row: 100 billion yuan */
#define RESERVATION_MAX ((1ull << 62) - 1)  /* numbers beyond are the nodes' own */
#define QUANTITY_MAX    1000000000000000ull /* the same */

enum {
    VOUCHER,
    AMOUNT_FEN,
    AMOUNT_YUAN,
    BASE_FEN,
    BASE_YUAN,
    INVOICE,
    TOTAL_FEN,
    TOTAL_YUAN,
    SERVICE,
    SCENARIO,
    SERVICE_DAY,
    EVIDENCE,
    VERB,
    RESERVATION,
    RESERVE_UNTIL,
    BUNDLE,
    QUANTITY,
    DOCUMENTS,
    FACTS,
    PAYEE,
    REFUSED_LINE,
    REFUSED_STATUS,
    REFUSED_REASON,
    REFUSED_ITEM,
    COLUMNS
};

const struct sq_column SQ_BATCH_COLUMNS[] = {
    [VOUCHER] = {"voucher", "券号", 1},
    [AMOUNT_FEN] = {"amount_fen", "金额分", 0},
    [AMOUNT_YUAN] = {"amount_yuan", "金额元", 0},
    [BASE_FEN] = {"base_fen", "基数分", 0},
    [BASE_YUAN] = {"base_yuan", "基数元", 0},
    [INVOICE] = {"invoice", "发票号码", 0},
    [TOTAL_FEN] = {"invoice_total_fen", "发票总额分", 0},
    [TOTAL_YUAN] = {"invoice_total_yuan", "发票总额元", 0},
    [SERVICE] = {"service", "服务", 0},
    [SCENARIO] = {"scenario", "场景", 0},
    [SERVICE_DAY] = {"service_day", "服务日期", 1},
    [EVIDENCE] = {"evidence", "凭证", 0},
    [VERB] = {"verb", "操作", 0},
    [RESERVATION] = {"reservation", "预留编号", 0},
    [RESERVE_UNTIL] = {"reserve_until", "预留至", 0},
    [BUNDLE] = {"bundle", "联动", 0},
    [QUANTITY] = {"quantity", "数量", 0},
    [DOCUMENTS] = {"documents", "材料", 0},
    [FACTS] = {"facts", "声明", 0},
    [PAYEE] = {"payee", "收款方", 0},
    /* what `submit` writes before refused rows, so that they can be mended and submitted */
    [REFUSED_LINE] = {"refused_line", "被拒行号", 0},
    [REFUSED_STATUS] = {"refused_status", "被拒代码", 0},
    [REFUSED_REASON] = {"refused_reason", "被拒原因", 0},
    [REFUSED_ITEM] = {"refused_item", "被拒记录", 0},
};
const unsigned SQ_BATCH_COLUMN_COUNT = COLUMNS;
_Static_assert(COLUMNS <= SQ_SHEET_COLUMNS_MAX, "a sheet has room for them");

/* ---- reading ---- */

struct word {
    const char *english, *chinese;
    uint8_t value;
};

static uint8_t read_word(struct sq_cells *c, unsigned column, const struct word *words, size_t count, const char *what)
{
    const char *text = c->row->cell[column];
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(text, words[i].english) == 0 || strcmp(text, words[i].chinese) == 0)
            return words[i].value;
    sq_cells_wrong(c, column, "%s", what);
    return 0;
}

static uint8_t read_verb(struct sq_cells *c)
{
    static const struct word verbs[] = {{"", "", SANQUAN__V1__VERB__REDEEM},
                                        {"redeem", "核销", SANQUAN__V1__VERB__REDEEM},
                                        {"reserve", "预留", SANQUAN__V1__VERB__RESERVE},
                                        {"commit", "确认", SANQUAN__V1__VERB__COMMIT},
                                        {"release", "释放", SANQUAN__V1__VERB__RELEASE},
                                        {"return", "退回", SANQUAN__V1__VERB__RETURN}};
    return read_word(c, VERB, verbs, sizeof verbs / sizeof *verbs,
                     _("one of redeem, reserve, commit, release, return goes here"));
}

/* Batch.payee */
static uint8_t read_payee(struct sq_cells *c)
{
    static const struct word payees[] = {{"", "", 0}, {"provider", "供应方", 1}, {"holder", "持券方", 2}};
    return read_word(c, PAYEE, payees, sizeof payees / sizeof *payees, _("provider or holder goes here"));
}

/* 20 digits; or the 18 of an old invoice, 发票代码 and 发票号码, with 00 before them. */
static void read_invoice(struct sq_cells *c, int needed, uint8_t out[static SQ_INVOICE_BYTES])
{
    const char *text = c->row->cell[INVOICE];
    size_t size = strlen(text), pad = size == 18 ? 2 : 0;
    memset(out, 0, SQ_INVOICE_BYTES);
    if (size == 0 && !needed)
        return;
    if (size + pad != 20 || strspn(text, "0123456789") != size || strspn(text, "0") == size) {
        sq_cells_wrong(c, INVOICE,
                       _("not an invoice number: 20 digits, or code and number of an old one together (18 or 20)"));
        return;
    }
    for (size_t i = 0; i < size; i++) {
        size_t at = i + pad;
        out[at / 2] = (uint8_t)(out[at / 2] | (text[i] - '0') << (at % 2 == 0 ? 4 : 0));
    }
}

static uint32_t read_service(struct sq_cells *c, int needed)
{
    const char *text = c->row->cell[SERVICE];
    uint32_t named = *text != '\0' ? sq_service_code(text) : 0;
    return named != 0 ? named : (uint32_t)sq_cell_number(c, SERVICE, 0, UINT32_MAX, needed ? UINT64_MAX : 0);
}

/* Half of the record's SHA-256, or all of it, of which half is taken. */
static void read_evidence(struct sq_cells *c, uint8_t out[static SQ_EVIDENCE_BYTES])
{
    const char *text = c->row->cell[EVIDENCE];
    uint8_t whole[32];
    memset(out, 0, SQ_EVIDENCE_BYTES);
    if (*text == '\0')
        return;
    if (sq_unhex(text, whole, strlen(text) == 64 ? 32 : SQ_EVIDENCE_BYTES, NULL) != SQ_OK)
        sq_cells_wrong(c, EVIDENCE,
                       _("not the SHA-256 of the delivery record (64 lower-case hexadecimal digits, or the first 32)"));
    else
        memcpy(out, whole, SQ_EVIDENCE_BYTES);
}

int sq_item_read(const struct sq_sheet *sheet, const struct sq_row *row, struct sq_problems *problems,
                 struct sq_item *out)
{
    struct sq_cells c;
    *out = (struct sq_item){.line = row->line, .raw = row->raw, .bundle = SQ_BUNDLE_UNKNOWN};
    if (!sq_cells_begin(&c, sheet, row, problems))
        return 0;
    out->bundle = sq_cell_number(&c, BUNDLE, 0, SQ_BUNDLE_UNKNOWN - 1, 0);
    if (c.bad)
        out->bundle = SQ_BUNDLE_UNKNOWN;
    out->verb = read_verb(&c);
    int bundled = out->bundle != 0 && out->bundle != SQ_BUNDLE_UNKNOWN;
    if (bundled && out->verb != SANQUAN__V1__VERB__REDEEM && out->verb != 0)
        sq_cells_wrong(&c, VERB, _("rows of a bundle are redeemed: leave this empty"));
    int invoiced = out->verb == SANQUAN__V1__VERB__REDEEM || out->verb == SANQUAN__V1__VERB__COMMIT;
    int reserves = out->verb == SANQUAN__V1__VERB__RESERVE, use = invoiced || reserves;
    int reservation = reserves || out->verb == SANQUAN__V1__VERB__COMMIT || out->verb == SANQUAN__V1__VERB__RELEASE;
    out->voucher = sq_cell_voucher(&c, VOUCHER);
    out->amount_fen = sq_cell_money(&c, AMOUNT_FEN, AMOUNT_YUAN, 1, ROW_FEN_MAX, 0);
    out->base_fen = sq_cell_money(&c, BASE_FEN, BASE_YUAN, 0, ROW_FEN_MAX, use ? -1 : 0);
    read_invoice(&c, invoiced || out->verb == SANQUAN__V1__VERB__RETURN, out->invoice);
    out->total_fen = sq_cell_money(&c, TOTAL_FEN, TOTAL_YUAN, 0, ROW_FEN_MAX, invoiced ? -1 : 0);
    out->service = read_service(&c, use);
    out->scenario = (uint32_t)sq_cell_number(&c, SCENARIO, 0, UINT32_MAX, 0);
    out->service_day = sq_cell_day(&c, SERVICE_DAY);
    read_evidence(&c, out->evidence);
    out->reservation = sq_cell_number(&c, RESERVATION, reservation ? 1 : 0, RESERVATION_MAX, 0);
    out->reserve_until_ms = reserves || bundled ? sq_cell_moment(&c, RESERVE_UNTIL) : 0;
    out->quantity = (int64_t)sq_cell_number(&c, QUANTITY, 0, QUANTITY_MAX, 0);
    out->documents = sq_cell_documents(&c, DOCUMENTS);
    sq_cell_facts(&c, FACTS, &out->facts);
    out->payee = read_payee(&c);
    return !c.bad;
}

/* ---- what goes together ---- */

void sq_batch_room_begin(struct sq_batch_room *r)
{
    r->reserve_until_ms = 0;
    sq_fact_table_begin(&r->facts, SQ_BATCH_FACT_SETS);
}

int sq_batch_room_take(struct sq_batch_room *r, const struct sq_item *item)
{
    uint32_t number;
    uint64_t until_ms = item->reserve_until_ms;
    if ((until_ms != 0 && r->reserve_until_ms != 0 && until_ms != r->reserve_until_ms) ||
        !sq_fact_table_add(&r->facts, &item->facts, &number))
        return 0;
    r->reserve_until_ms = until_ms != 0 ? until_ms : r->reserve_until_ms;
    return 1;
}

void sq_batch_room_end(struct sq_batch_room *r)
{
    sq_fact_table_end(&r->facts);
}

/* ---- packing ---- */

static int by_invoice(const void *a, const void *b, void *items)
{
    const struct sq_item *all = items, *x = &all[*(const uint32_t *)a], *y = &all[*(const uint32_t *)b];
    int invoice = memcmp(x->invoice, y->invoice, SQ_INVOICE_BYTES);
    return invoice != 0 ? invoice : x < y ? -1 : x > y;
}

struct columns {
    uint64_t voucher[SQ_BATCH_ROWS_MAX], reservation[SQ_BATCH_ROWS_MAX];
    int64_t amount[SQ_BATCH_ROWS_MAX], base[SQ_BATCH_ROWS_MAX], total[SQ_BATCH_ROWS_MAX], quantity[SQ_BATCH_ROWS_MAX];
    uint32_t service[SQ_BATCH_ROWS_MAX], scenario[SQ_BATCH_ROWS_MAX], day[SQ_BATCH_ROWS_MAX];
    uint32_t facts[SQ_BATCH_ROWS_MAX], documents[SQ_BATCH_ROWS_MAX], bundle[SQ_BATCH_ROWS_MAX];
    uint8_t invoice[SQ_BATCH_ROWS_MAX][SQ_INVOICE_BYTES], evidence[SQ_BATCH_ROWS_MAX][SQ_EVIDENCE_BYTES],
        verb[SQ_BATCH_ROWS_MAX], payee[SQ_BATCH_ROWS_MAX];
};

/* Columns that may be left out are left out when they say nothing. */
static void set_optional(Sanquan__V1__Batch *m, struct columns *t, uint32_t count)
{
    static const uint8_t none[SQ_EVIDENCE_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        if (t->scenario[i] != 0)
            m->n_scenario = count;
        if (t->reservation[i] != 0)
            m->n_reservation = count;
        if (memcmp(t->evidence[i], none, sizeof none) != 0)
            m->evidence.len = (size_t)count * SQ_EVIDENCE_BYTES;
        if (t->verb[i] != SANQUAN__V1__VERB__REDEEM)
            m->verb.len = count;
        if (t->payee[i] != 0)
            m->payee.len = count;
        if (t->quantity[i] != 0)
            m->n_quantity = count;
        if (t->facts[i] != 0)
            m->n_facts = count;
        if (t->documents[i] != 0)
            m->n_documents = count;
        if (t->bundle[i] != 0)
            m->n_bundle = count;
    }
    m->scenario = t->scenario;
    m->reservation = t->reservation;
    m->evidence.data = t->evidence[0];
    m->verb.data = t->verb;
    m->payee.data = t->payee;
    m->quantity = t->quantity;
    m->facts = t->facts;
    m->documents = t->documents;
    m->bundle = t->bundle;
}

/* Bundles of the items, in their order, are 1, 2, 3 ... in the batch. */
static void number_bundles(const struct sq_item *items, uint32_t count, uint32_t *number)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        last += items[i].bundle != 0 && (i == 0 || items[i].bundle != items[i - 1].bundle);
        number[i] = items[i].bundle != 0 ? last : 0;
    }
}

void sq_batch_pack(const struct sq_item *items, uint32_t count, uint32_t *order, uint8_t **body, size_t *size)
{
    Sanquan__V1__Batch m;
    struct columns *t = sq_need(malloc(sizeof *t));
    union {
        const struct sq_item *in;
        void *out;
    } all = {items}; /* the comparison only reads them */
    struct sq_fact_table facts;
    uint32_t *bundle = sq_need(malloc((count + 1) * sizeof *bundle));
    SQ_ASSERT(count <= SQ_BATCH_ROWS_MAX);
    number_bundles(items, count, bundle);
    sq_fact_table_begin(&facts, SQ_BATCH_FACT_SETS);
    sanquan__v1__batch__init(&m);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof *order, by_invoice, all.out);
    for (uint32_t i = 0; i < count; i++) {
        const struct sq_item *it = &items[order[i]];
        t->voucher[i] = it->voucher, t->amount[i] = it->amount_fen, t->base[i] = it->base_fen,
        t->total[i] = it->total_fen;
        t->service[i] = it->service, t->scenario[i] = it->scenario, t->day[i] = it->service_day;
        t->reservation[i] = it->reservation, t->verb[i] = it->verb, t->payee[i] = it->payee;
        memcpy(t->invoice[i], it->invoice, SQ_INVOICE_BYTES);
        memcpy(t->evidence[i], it->evidence, SQ_EVIDENCE_BYTES);
        t->quantity[i] = it->quantity, t->documents[i] = it->documents, t->bundle[i] = bundle[order[i]];
        int fits = sq_fact_table_add(&facts, &it->facts, &t->facts[i]);
        SQ_ASSERT(fits); /* sq_batch_room_take */
        m.reserve_until_ms = it->reserve_until_ms != 0 ? it->reserve_until_ms : m.reserve_until_ms;
    }
    m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service = m.n_service_day = count;
    m.voucher = t->voucher, m.amount_fen = t->amount, m.base_fen = t->base, m.invoice_total_fen = t->total;
    m.service = t->service, m.service_day = t->day;
    m.invoice = (ProtobufCBinaryData){(size_t)count * SQ_INVOICE_BYTES, t->invoice[0]};
    set_optional(&m, t, count);
    m.n_fact_sets = facts.count;
    m.fact_sets = sq_fact_table_list(&facts);
    *size = sanquan__v1__batch__get_packed_size(&m);
    *body = sq_need(malloc(*size));
    sanquan__v1__batch__pack(&m, *body);
    sq_fact_table_end(&facts);
    free(bundle);
    free(t);
}
