/*
 * sanquan invoice, invoice reverse: what is claimed on an invoice at its home, and credit notes (红冲) against it.
 *
 *   register of the home: what must come back -> claims of the history: from which vouchers -> REVERSE
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/core/core.h"
#include "ops/cli/names.h"
#include "ops/cli/returns.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

#define CELL      10u
#define PAGE_ROWS "500"

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}
static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

struct invoice {
    const char *number, *note;
    uint8_t cell[CELL], note_cell[CELL];
    char digits[2 * CELL + 1];
    int64_t left_fen; /* -1: not given */
    int dry_run;
};

static error_t take_number(struct invoice *x, const char *value, const struct argp_state *state)
{
    if (x->number != NULL)
        return ARGP_ERR_UNKNOWN;
    x->number = value;
    if (!sq_invoice_read(value, x->cell))
        return sq_args_wrong(state, _("%s: not an invoice number of 20 digits (18 for an old one)"), value);
    sq_hex(x->cell, CELL, x->digits);
    return 0;
}

/* The register's part; a node that is not the invoice's home has none. */
static sq_status ask_register(struct sq_session *s, const struct invoice *x, json_t **out, struct sq_error *err)
{
    char path[60];
    if (x->left_fen >= 0)
        snprintf(path, sizeof path, "invoice/%s/%" PRId64, x->digits, x->left_fen);
    else
        snprintf(path, sizeof path, "invoice/%s", x->digits);
    sq_status st = sq_session_ask(s, path, out, err);
    if (st == SQ_OK && !json_is_true(json_object_get(*out, "here"))) {
        st = sq_fail(err, SQ_E_USAGE, _("node %s is the home of this invoice: ask there, with --node and --connect"),
                     text_of(*out, "home"));
        json_decref(*out);
        *out = NULL;
    }
    return st;
}

/* ---- invoice ---- */

static error_t parse_show(int key, char *value, struct argp_state *state)
{
    struct invoice *x = state->input;
    if (key == ARGP_KEY_ARG)
        return take_number(x, value, state);
    return key == ARGP_KEY_END && x->number == NULL ? sq_args_wrong(state, _("say which invoice")) : ARGP_ERR_UNKNOWN;
}

static const struct sq_args show_args = {
    NULL,
    parse_show,
    N_("INVOICE"),
    N_("Show what is claimed on an invoice: its total, who claims it, and how much under which programme."),
    N_("For operators of the invoice's home, the node of the region in its number, and for regulators. What is being "
       "returned is\n"
       "taken off already. 'sanquan history --invoice' lists the claims one by one.\n"
       "\n"
       "  sanquan invoice 26372000000000000001 --key zhang.key"),
    1};

static void print_programmes(const json_t *list)
{
    const char *headers[] = {_("programme"), _("base"), _("subsidy")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *p;
    sq_grid_begin(&g, "lrr", headers);
    json_array_foreach(list, i, p)
    {
        sq_grid_put(&g, "%06d/%d", (int)int_of(p, "issuer"), (int)int_of(p, "programme"));
        sq_grid_put(&g, "%s", sq_text_yuan(int_of(p, "base_fen"), text));
        sq_grid_put(&g, "%s", sq_text_yuan(int_of(p, "amount_fen"), text));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_invoice(const json_t *o)
{
    char total[SQ_TEXT_SIZE], limit[SQ_TEXT_SIZE];
    if (!json_is_true(json_object_get(o, "known"))) {
        puts(_("Nothing was ever claimed on it."));
        return;
    }
    printf(_("total: %s\n"), sq_text_money(int_of(o, "total_fen"), total));
    if (json_array_size(json_object_get(o, "programmes")) == 0) {
        puts(_("Nothing is claimed on it."));
        return;
    }
    printf(_("claimed by %s, through node %s\n"), text_of(o, "provider"), text_of(o, "acquirer"));
    printf(_("all subsidies together: at most %s of the total\n"), sq_text_bp((uint32_t)int_of(o, "limit_bp"), limit));
    print_programmes(json_object_get(o, "programmes"));
}

int sq_cmd_invoice(struct sq_cli *cli, int argc, char **argv)
{
    struct invoice x = {.left_fen = -1};
    struct sq_session s;
    struct sq_error err = {0};
    json_t *answer = NULL;
    int code = sq_cli_parse(cli, &show_args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = ask_register(&s, &x, &answer, &err);
    sq_session_close(&s);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_incref(answer));
    else
        print_invoice(answer);
    json_decref(answer);
    return SQ_EXIT_DONE;
}

/* ---- invoice reverse ---- */

enum { KEY_NOTE = 0x100, KEY_LEFT, KEY_DRY_RUN };

static error_t parse_reverse(int key, char *value, struct argp_state *state)
{
    struct invoice *x = state->input;
    switch (key) {
    case KEY_NOTE:
        x->note = value;
        return sq_invoice_read(value, x->note_cell)
                   ? 0
                   : sq_args_wrong(state, _("--note %s: not an invoice number of 20 digits (18 for an old one)"),
                                   value);
    case KEY_LEFT:
        return sq_read_yuan(value, &x->left_fen) && x->left_fen >= 0
                   ? 0
                   : sq_args_wrong(state, _("--left %s: not an amount in yuan"), value);
    case KEY_DRY_RUN:
        x->dry_run = 1;
        return 0;
    case ARGP_KEY_ARG:
        return take_number(x, value, state);
    case ARGP_KEY_END:
        return x->number == NULL ? sq_args_wrong(state, _("say which invoice"))
               : x->note == NULL ? sq_args_wrong(state, _("say which credit note: --note NUMBER"))
               : x->left_fen < 0
                   ? sq_args_wrong(state, _("say what is left of the invoice: --left YUAN, 0 for nothing"))
                   : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option reverse_options[] = {
    {"note", KEY_NOTE, N_("NUMBER"), 0, N_("number of the credit note"), 0},
    {"left", KEY_LEFT, N_("YUAN"), 0, N_("what is left of the invoice, tax included; 0: nothing"), 0},
    {"dry-run", KEY_DRY_RUN, NULL, 0, N_("show what would come back, and send nothing"), 0},
    {0},
};
static const struct sq_args reverse_args = {
    reverse_options,
    parse_reverse,
    N_("INVOICE"),
    N_("Enter a credit note (红字发票) against an invoice: what its total no longer covers comes back. For operators "
       "of the "
       "invoice's home."),
    N_("The new total counts at once, for whoever claims the invoice. Of each programme the base above it comes back "
       "with its part of the\n"
       "subsidy, spread over the vouchers as they were claimed; each issuer decides as for a return by the provider "
       "itself, and a region\n"
       "that was owed for it is owed less in the open window. Said again, it asks for what has not come back yet.\n"
       "\n"
       "  sanquan invoice reverse 26372000000000000001 --note 26372000000000000099 --left 600 --key zhang.key"),
    1};

/* All items of the invoice, page by page. */
static sq_status read_claims(struct sq_session *s, const struct invoice *x, struct sq_returns *r, struct sq_error *err)
{
    char path[200], after[48] = "";
    sq_status st;
    do {
        json_t *page = NULL;
        snprintf(path, sizeof path, "history?invoice=%s&claims=1&order=oldest&max=" PAGE_ROWS "%s%s", x->digits,
                 *after != '\0' ? "&after=" : "", after);
        st = sq_session_ask(s, path, &page, err);
        if (st != SQ_OK)
            return st;
        sq_returns_items(r, json_object_get(page, "items"));
        snprintf(after, sizeof after, "%s", text_of(page, "after"));
        json_decref(page);
    } while (*after != '\0');
    sq_returns_settle(r);
    return SQ_OK;
}

struct columns {
    uint64_t *voucher;
    int64_t *amount, *base, *total;
    uint8_t *invoice, *verb;
    uint32_t *service, *day;
    size_t count;
};

/* The claims that give something back, as columns of a batch. */
static void fill(struct columns *t, const struct invoice *x, const struct sq_returns *r)
{
    size_t n = r->count + 1; /* no allocation of nothing */
    *t = (struct columns){sq_need(calloc(n, sizeof *t->voucher)),
                          sq_need(calloc(n, sizeof *t->amount)),
                          sq_need(calloc(n, sizeof *t->base)),
                          sq_need(calloc(n, sizeof *t->total)),
                          sq_need(calloc(n, CELL)),
                          sq_need(calloc(n, 1)),
                          sq_need(calloc(n, sizeof *t->service)),
                          sq_need(calloc(n, sizeof *t->day)),
                          0};
    for (size_t i = 0; i < r->count; i++) {
        const struct sq_standing *s = &r->list[i];
        if (s->back_amount_fen == 0)
            continue;
        t->voucher[t->count] = s->voucher;
        t->amount[t->count] = s->back_amount_fen;
        t->base[t->count] = s->back_base_fen;
        t->day[t->count] = s->service_day;
        t->verb[t->count] = SANQUAN__V1__VERB__RETURN;
        memcpy(t->invoice + t->count++ * CELL, x->cell, CELL);
    }
}

static void free_columns(struct columns *t)
{
    free(t->voucher), free(t->amount), free(t->base), free(t->total);
    free(t->invoice), free(t->verb), free(t->service), free(t->day);
}

static void set_batch(Sanquan__V1__Batch *m, const struct columns *t)
{
    sanquan__v1__batch__init(m);
    m->n_voucher = m->n_amount_fen = m->n_base_fen = m->n_invoice_total_fen = m->n_service = m->n_service_day =
        t->count;
    m->voucher = t->voucher, m->amount_fen = t->amount, m->base_fen = t->base, m->invoice_total_fen = t->total;
    m->service = t->service, m->service_day = t->day;
    m->invoice = (ProtobufCBinaryData){t->count * CELL, t->invoice};
    m->verb = (ProtobufCBinaryData){t->count, t->verb};
}

static sq_status send(struct sq_session *s, struct invoice *x, const json_t *reg, const struct sq_returns *r,
                      struct sq_error *err)
{
    Sanquan__V1__Reverse m;
    Sanquan__V1__Batch batch;
    struct columns t;
    char acquirer[7], provider[19];
    if (r->count > SQ_BATCH_ROWS_MAX)
        return sq_fail(err, SQ_E_FORMAT, _("more than %u claims are on this invoice"), SQ_BATCH_ROWS_MAX);
    fill(&t, x, r);
    sanquan__v1__reverse__init(&m);
    m.invoice = (ProtobufCBinaryData){CELL, x->cell};
    m.credit_note = (ProtobufCBinaryData){CELL, x->note_cell};
    m.total_fen = x->left_fen;
    if (t.count != 0) {
        snprintf(acquirer, sizeof acquirer, "%s", text_of(reg, "acquirer"));
        snprintf(provider, sizeof provider, "%s", text_of(reg, "provider"));
        set_batch(&batch, &t);
        m.acquirer = acquirer;
        m.provider = provider;
        m.returns = &batch;
    }
    sq_status st = sq_session_say(s, SANQUAN__V1__MESSAGE_TYPE__REVERSE, &m.base, NULL, err);
    free_columns(&t);
    return st;
}

static void print_returns(const struct sq_returns *r)
{
    const char *headers[] = {_("voucher"), _("base"), _("comes back")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    sq_grid_begin(&g, "lrr", headers);
    for (size_t i = 0; i < r->count; i++) {
        if (r->list[i].back_amount_fen == 0)
            continue;
        sq_grid_put(&g, "%019" PRIu64, r->list[i].voucher);
        sq_grid_put(&g, "%s", sq_text_yuan(r->list[i].back_base_fen, text));
        sq_grid_put(&g, "%s", sq_text_yuan(r->list[i].back_amount_fen, text));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_reversal(const struct sq_cli *cli, const struct invoice *x, const json_t *reg,
                           const struct sq_returns *r)
{
    char text[SQ_TEXT_SIZE], number[24];
    json_t *list = sq_need(json_array());
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].back_amount_fen != 0) {
            snprintf(number, sizeof number, "%019" PRIu64, r->list[i].voucher);
            json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I}", "voucher", number, "service_day",
                                                  (json_int_t)r->list[i].service_day, "base_fen",
                                                  (json_int_t)r->list[i].back_base_fen, "amount_fen",
                                                  (json_int_t)r->list[i].back_amount_fen));
        }
    if (cli->json) {
        sq_cli_json(json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:b, s:O}", "invoice", x->digits, "note", x->note,
                              "total_fen", (json_int_t)x->left_fen, "back_fen", (json_int_t)int_of(reg, "back_fen"),
                              "acquirer", text_of(reg, "acquirer"), "provider", text_of(reg, "provider"), "sent",
                              !x->dry_run, "returns", list));
    } else if (json_array_size(list) == 0) {
        puts(x->dry_run ? _("nothing would come back") : _("noted; nothing comes back"));
    } else {
        print_returns(r);
        printf(x->dry_run ? _("%s would come back; nothing was sent\n") : _("%s asked back of %s\n"),
               sq_text_money(int_of(reg, "back_fen"), text), text_of(reg, "provider"));
    }
    json_decref(list);
}

int sq_cmd_invoice_reverse(struct sq_cli *cli, int argc, char **argv)
{
    struct invoice x = {.left_fen = -1};
    struct sq_session s;
    struct sq_returns r = {0};
    struct sq_error err = {0};
    json_t *reg = NULL;
    int code = sq_cli_parse(cli, &reverse_args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = ask_register(&s, &x, &reg, &err);
    if (st == SQ_OK && int_of(reg, "back_fen") != 0 && (st = read_claims(&s, &x, &r, &err)) == SQ_OK)
        st = sq_returns_spread(&r, reg, &err);
    if (st == SQ_OK && !x.dry_run)
        st = send(&s, &x, reg, &r, &err);
    if (st == SQ_OK)
        print_reversal(cli, &x, reg, &r);
    sq_session_close(&s);
    sq_returns_end(&r);
    json_decref(reg);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
