/*
 * sanquan grant: vouchers for holders, from a file to voucher numbers.
 *
 * A grant is not idempotent, so it keeps FILE.progress as `submit` does; a message's `note` is its first serial, which the node's
 * count of the programme's vouchers gave when the message was first made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/sending.h"
#include "ops/cli/text.h"
#include "ops/cli/voucher_row.h"

struct voucher {
    struct sq_voucher_row row;
    struct sq_declared_facts *facts; /* NULL: none */
    uint64_t line;
};

struct granting {
    const struct sq_cli *cli;
    const char *path, *out_path;
    uint32_t issuer, number;
    struct voucher *vouchers;
    size_t count, capacity;
    struct sq_problems problems;
    uint8_t input_hash[SQ_HASH_SIZE];
    struct sq_session session;
    struct sq_progress *progress;
    struct sq_sending sending;
    struct sq_bar bar;
    int was_done; /* an earlier run granted all of it */
};

/* ---- options ---- */

enum { KEY_PROGRAMME = 0x100 };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct granting *g = state->input;
    switch (key) {
    case KEY_PROGRAMME:
        return sq_args_take_programme(state, value, &g->issuer, &g->number);
    case 'o':
        g->out_path = value;
        return 0;
    case ARGP_KEY_ARG:
        if (g->path != NULL)
            return ARGP_ERR_UNKNOWN;
        g->path = value;
        return 0;
    case ARGP_KEY_END:
        return g->path == NULL  ? sq_args_wrong(state, _("say which file of grants"))
               : g->number == 0 ? sq_args_wrong(state, _("say under which programme: --programme ISSUER/NUMBER"))
                                : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"programme", KEY_PROGRAMME, N_("ISSUER/NUMBER"), 0, N_("grant under this programme"), 0},
    {"out", 'o', N_("FILE"), 0, N_("write the vouchers here instead of to standard output"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("FILE"),
    N_("Grant vouchers to enrolled holders and print their numbers. For issuers, at their node."),
    N_("FILE is CSV with a header line, or JSON lines, with the columns\n"
       "  holder 持券方                     unified social credit code\n"
       "  face_yuan 面额元, or face_fen     what the voucher is worth\n"
       "  until_day 有效期至                last day of use, as 2026-12-31\n"
       "and, where the programme asks for them, seller 供应方, contract 合同编号, contract_yuan 合同金额元, "
       "approved_yuan 核定金额元,\n"
       "contract_day 签订日期, contract_from_day, contract_until_day, quota 配额, documents 材料 (contract+licence), "
       "facts 声明 (grade=1).\n"
       "Each row becomes one voucher; the output has the rows with their numbers, in the same order. When anything is "
       "wrong nothing is\n"
       "sent. FILE.progress keeps account: the same command again goes on where it broke off, and grants nothing "
       "twice.\n"
       "\n"
       "  sanquan grant holders.csv --programme 310000/1 --key issuer.key --out vouchers.csv"),
    1};

/* ---- reading ---- */

static void read_row(struct granting *g, const struct sq_sheet *sheet, const struct sq_row *row)
{
    struct sq_cells c;
    struct voucher v = {.line = row->line};
    struct sq_declared_facts facts;
    if (!sq_cells_begin(&c, sheet, row, &g->problems))
        return;
    sq_voucher_read(&c, 1, &v.row, &facts);
    if (facts.count != 0) {
        v.facts = sq_need(malloc(sizeof facts));
        *v.facts = facts;
    }
    if (g->count == g->capacity) {
        g->capacity = g->capacity == 0 ? 1024 : g->capacity * 2;
        g->vouchers = sq_need(realloc(g->vouchers, g->capacity * sizeof *g->vouchers));
    }
    g->vouchers[g->count++] = v;
}

static sq_status read_all(struct granting *g, struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_row row;
    sq_status st = sq_sheet_open(g->path, SQ_VOUCHER_COLUMNS, SQ_VOUCHER_COLUMN_COUNT, &sheet, err);
    if (st != SQ_OK)
        return st;
    while (sq_sheet_next(sheet, &row))
        read_row(g, sheet, &row);
    memcpy(g->input_hash, sq_sheet_hash(sheet), sizeof g->input_hash);
    sq_sheet_close(sheet);
    sq_problems_end(&g->problems);
    if (g->problems.count != 0)
        return sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was sent"), g->problems.count);
    return g->count != 0 ? SQ_OK : sq_fail(err, SQ_E_FORMAT, _("%s has no row to send"), g->path);
}

/* ---- sending ---- */

/* The serial after the last one that was granted under the programme. */
static sq_status ask_next_serial(struct granting *g, uint64_t *serial, struct sq_error *err)
{
    json_t *answer, *p;
    size_t i;
    sq_status st = sq_session_ask(&g->session, "programmes", &answer, err);
    if (st != SQ_OK)
        return st;
    st = sq_fail(err, SQ_R_UNKNOWN_PROGRAMME, "%06u/%u", g->issuer, g->number);
    json_array_foreach(json_object_get(answer, "programmes"), i, p)
    {
        if ((uint64_t)json_integer_value(json_object_get(p, "issuer")) == g->issuer &&
            (uint64_t)json_integer_value(json_object_get(p, "number")) == g->number) {
            *serial = (uint64_t)json_integer_value(json_object_get(p, "vouchers")) + 1;
            st = SQ_OK;
        }
    }
    json_decref(answer);
    return st;
}

struct holder_of { /* row -> holder, for finding the distinct ones */
    const char *holder;
    uint32_t row;
};

static int by_holder(const void *a, const void *b)
{
    return strcmp(((const struct holder_of *)a)->holder, ((const struct holder_of *)b)->holder);
}

/* Distinct holders in ascending order, and each row's index into them. */
static size_t index_holders(const struct voucher *v, uint32_t count, char **holders, uint32_t *holder)
{
    struct holder_of *rows = sq_need(malloc(count * sizeof *rows));
    size_t distinct = 0;
    for (uint32_t i = 0; i < count; i++)
        rows[i] = (struct holder_of){v[i].row.holder, i};
    qsort(rows, count, sizeof *rows, by_holder);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(rows[i - 1].holder, rows[i].holder) != 0) {
            union {
                const char *in;
                char *out;
            } same = {rows[i].holder}; /* packing only reads it */
            holders[distinct++] = same.out;
        }
        holder[rows[i].row] = (uint32_t)distinct - 1;
    }
    free(rows);
    return distinct;
}

struct columns {
    int64_t face[SQ_BATCH_ROWS_MAX], contract_fen[SQ_BATCH_ROWS_MAX], approved[SQ_BATCH_ROWS_MAX],
        quota[SQ_BATCH_ROWS_MAX];
    uint32_t holder[SQ_BATCH_ROWS_MAX], until[SQ_BATCH_ROWS_MAX], documents[SQ_BATCH_ROWS_MAX],
        facts[SQ_BATCH_ROWS_MAX];
    uint32_t day[SQ_BATCH_ROWS_MAX], from[SQ_BATCH_ROWS_MAX], to[SQ_BATCH_ROWS_MAX];
    uint8_t contract[SQ_BATCH_ROWS_MAX][SQ_CONTRACT_BYTES];
    char *holders[SQ_BATCH_ROWS_MAX];
};

/* Columns that may be left out are left out when they say nothing. */
static void set_optional(Sanquan__V1__Grant *m, struct columns *t, const struct voucher *v, size_t count,
                         struct sq_fact_table *sets)
{
    static const uint8_t none[SQ_CONTRACT_BYTES];
    for (size_t i = 0; i < count; i++) {
        memcpy(t->contract[i], v[i].row.contract, SQ_CONTRACT_BYTES);
        t->contract_fen[i] = v[i].row.contract_fen, t->approved[i] = v[i].row.approved_fen,
        t->quota[i] = v[i].row.quota;
        t->day[i] = v[i].row.contract_day, t->from[i] = v[i].row.contract_from_day,
        t->to[i] = v[i].row.contract_until_day;
        t->documents[i] = v[i].row.documents;
        int fits = sq_fact_table_add(sets, v[i].facts, &t->facts[i]);
        SQ_ASSERT(fits); /* there is room for one a row */
        m->contract.len =
            memcmp(v[i].row.contract, none, sizeof none) != 0 ? count * SQ_CONTRACT_BYTES : m->contract.len;
        m->n_contract_fen = v[i].row.contract_fen != 0 ? count : m->n_contract_fen;
        m->n_approved_fen = v[i].row.approved_fen != 0 ? count : m->n_approved_fen;
        m->n_contract_day = v[i].row.contract_day != 0 ? count : m->n_contract_day;
        m->n_contract_from_day = m->n_contract_until_day =
            v[i].row.contract_from_day != 0 ? count : m->n_contract_from_day;
        m->n_quota = v[i].row.quota != 0 ? count : m->n_quota;
        m->n_facts = t->facts[i] != 0 ? count : m->n_facts;
        m->n_documents = v[i].row.documents != 0 ? count : m->n_documents;
    }
    m->contract.data = t->contract[0];
    m->contract_fen = t->contract_fen, m->approved_fen = t->approved, m->contract_day = t->day;
    m->contract_from_day = t->from, m->contract_until_day = t->to;
    m->quota = t->quota, m->facts = t->facts, m->documents = t->documents;
    m->n_fact_sets = sets->count;
    m->fact_sets = sq_fact_table_list(sets);
}

static sq_status pack(const struct granting *g, const struct voucher *v, uint32_t count, uint64_t serial,
                      uint8_t **body, size_t *size, struct sq_error *err)
{
    Sanquan__V1__Grant m;
    struct sq_fact_table sets;
    struct columns *t = sq_need(malloc(sizeof *t));
    sq_fact_table_begin(&sets, count);
    sanquan__v1__grant__init(&m);
    m.issuer = g->issuer;
    m.programme = g->number;
    m.first_serial = serial;
    m.n_holders = index_holders(v, count, t->holders, t->holder);
    m.holders = t->holders;
    for (uint32_t i = 0; i < count; i++)
        t->face[i] = v[i].row.face_fen, t->until[i] = v[i].row.until_day;
    m.n_face_fen = m.n_holder = m.n_until_day = count;
    m.face_fen = t->face;
    m.holder = t->holder;
    m.until_day = t->until;
    set_optional(&m, t, v, count, &sets);
    sq_status st = sq_session_pack(&m.base, body, size, err);
    sq_fact_table_end(&sets);
    free(t);
    return st;
}

static sq_status on_answer(void *ctx, uint64_t n, void *work, const struct sq_client_answer *a, struct sq_chunk *record,
                           struct sq_error *err)
{
    struct granting *g = ctx;
    (void)n, (void)work, (void)err;
    record->seq = a->answer->seq;
    record->accepted = a->answer->count;
    sq_bar_at(&g->bar, g->bar.done + record->rows);
    return SQ_OK;
}

static sq_status send_all(struct granting *g, struct sq_error *err)
{
    uint64_t serial = 0, n = 0;
    sq_status st = ask_next_serial(g, &serial, err);
    g->sending =
        (struct sq_sending){.session = &g->session,
                            .progress = g->progress,
                            .type = SANQUAN__V1__MESSAGE_TYPE__GRANT,
                            .answered = on_answer,
                            .ctx = g,
                            .most = 1}; /* serials follow each other: one refused would refuse those behind it */
    sq_bar_begin(&g->bar, g->cli, _("granting"), g->count);
    for (size_t at = 0; st == SQ_OK && at < g->count; at += SQ_BATCH_ROWS_MAX, n++) {
        uint32_t rows = (uint32_t)(g->count - at < SQ_BATCH_ROWS_MAX ? g->count - at : SQ_BATCH_ROWS_MAX);
        const struct sq_chunk *known = sq_progress_chunk(g->progress, n);
        int sent = known != NULL && known->state == SQ_CHUNK_SENT;
        uint64_t first = sent ? known->note : serial;
        uint8_t *body;
        size_t size;
        if (known != NULL && known->state == SQ_CHUNK_ANSWERED) {
            sq_bar_at(&g->bar, g->bar.done + rows);
            continue;
        }
        st = pack(g, g->vouchers + at, rows, first, &body, &size, err);
        if (st == SQ_OK)
            st = sq_sending_put(&g->sending, n, g->vouchers[at].line, rows, first, body, size, NULL, err);
        serial = first + rows > serial ? first + rows : serial;
    }
    if (st == SQ_OK)
        st = sq_sending_finish(&g->sending, err);
    sq_bar_end(&g->bar);
    sq_sending_close(&g->sending);
    return st == SQ_OK ? sq_progress_end(g->progress, err) : st;
}

static sq_status grant(struct granting *g, struct sq_error *err)
{
    char how[40];
    sq_status st = read_all(g, err);
    if (st == SQ_OK)
        st = sq_session_open(g->cli, SQ_SENDING_MAX, &g->session, err);
    if (st != SQ_OK)
        return st;
    snprintf(how, sizeof how, "programme=%06u/%u", g->issuer, g->number);
    struct sq_progress_head head = {.command = "grant",
                                    .node = g->session.node->code,
                                    .sender = g->session.keys->name,
                                    .options = how,
                                    .network_id = sq_directory_network_id(g->session.directory),
                                    .input_hash = g->input_hash};
    st = sq_progress_open(g->path, &head, &g->progress, err);
    g->was_done = st == SQ_OK && sq_progress_ended(g->progress);
    return st == SQ_OK && !g->was_done ? send_all(g, err) : st;
}

/* ---- what came of it ---- */

static uint64_t number_of(const struct granting *g, size_t i)
{
    const struct sq_chunk *c = sq_progress_chunk(g->progress, i / SQ_BATCH_ROWS_MAX);
    return ((uint64_t)g->issuer * 10000 + g->number) * 1000000000 + c->note + i % SQ_BATCH_ROWS_MAX;
}

static void print_csv(const struct granting *g, FILE *f)
{
    fprintf(f, "voucher,holder,face_fen,until_day\n");
    for (size_t i = 0; i < g->count; i++)
        fprintf(f, "%" PRIu64 ",%s,%" PRId64 ",%u\n", number_of(g, i), g->vouchers[i].row.holder,
                g->vouchers[i].row.face_fen, g->vouchers[i].row.until_day);
}

static json_t *vouchers_json(const struct granting *g)
{
    json_t *list = json_array();
    char number[24];
    for (size_t i = 0; i < g->count; i++) {
        snprintf(number, sizeof number, "%" PRIu64, number_of(g, i));
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:i}", "voucher", number, "holder", g->vouchers[i].row.holder, "face_fen",
                            (json_int_t)g->vouchers[i].row.face_fen, "until_day", (int)g->vouchers[i].row.until_day));
    }
    return list;
}

static sq_status print_result(const struct granting *g, struct sq_error *err)
{
    char text[SQ_TEXT_SIZE];
    if (g->out_path != NULL) {
        FILE *f = fopen(g->out_path, "we");
        if (f != NULL)
            print_csv(g, f);
        if (f == NULL || fclose(f) != 0)
            return sq_fail(err, SQ_E_IO, "write %s: %s", g->out_path, strerror(errno));
    }
    if (g->cli->json)
        sq_cli_json(json_pack("{s:I, s:b, s:o}", "granted", (json_int_t)g->count, "sent_before", g->was_done,
                              "vouchers", vouchers_json(g)));
    else if (g->out_path == NULL)
        print_csv(g, stdout);
    if (g->was_done)
        sq_cli_note(g->cli, _("%s was granted before; nothing was sent now. These are its vouchers."), g->path);
    else
        sq_cli_note(g->cli, _("%s vouchers granted"), sq_text_count(g->count, text));
    return SQ_OK;
}

int sq_cmd_grant(struct sq_cli *cli, int argc, char **argv)
{
    struct granting *g = sq_need(calloc(1, sizeof *g));
    struct sq_error err = {0};
    g->cli = cli;
    g->session.key_lock = -1;
    int code = sq_cli_parse(cli, &args, argc, argv, g);
    if (code == SQ_PARSED) {
        sq_problems_begin(&g->problems, cli, g->path);
        sq_status st = grant(g, &err);
        if (st == SQ_OK)
            st = print_result(g, &err);
        code =
            st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail_about(cli, &err, g->problems.count != 0 ? g->problems.list : NULL);
        json_decref(g->problems.list);
    }
    sq_progress_close(g->progress);
    sq_session_close(&g->session);
    for (size_t i = 0; i < g->count; i++)
        free(g->vouchers[i].facts);
    free(g->vouchers);
    free(g);
    return code;
}
