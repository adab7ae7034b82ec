/* sanquan settle export: a final window as banks take it. */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/bankfile.h"
#include "ops/cli/settle.h"

struct export
{
    uint64_t window;
    const char *ledger, *format, *accounts, *of, *out, *schema;
};

enum { KEY_LEDGER = 0x100, KEY_FORMAT, KEY_ACCOUNTS, KEY_OF, KEY_SCHEMA };

static int is_format(const char *name)
{
    return strcmp(name, "pacs.029") == 0 || strcmp(name, "pacs.009") == 0 || strcmp(name, "csv") == 0;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct export *e = state->input;
    switch (key) {
    case KEY_LEDGER:
        e->ledger = value;
        return 0;
    case KEY_FORMAT:
        e->format = value;
        return is_format(value) ? 0 : sq_args_wrong(state, _("--format %s: it is pacs.029, pacs.009 or csv"), value);
    case KEY_ACCOUNTS:
        e->accounts = value;
        return 0;
    case KEY_OF:
        e->of = value;
        return strlen(value) == 6 && strspn(value, "0123456789") == 6
                   ? 0
                   : sq_args_wrong(state, _("--of %s: a node's six-digit code goes here"), value);
    case KEY_SCHEMA:
        e->schema = value;
        return 0;
    case 'o':
        e->out = value;
        return 0;
    case ARGP_KEY_ARG:
        if (e->window != 0)
            return ARGP_ERR_UNKNOWN;
        return sq_args_number(value, 1, UINT32_MAX, &e->window)
                   ? 0
                   : sq_args_wrong(state, _("%s: a window is a number from 1 on"), value);
    case ARGP_KEY_END:
        return e->schema != NULL && strcmp(e->format, "csv") == 0
                   ? sq_args_wrong(state, _("--schema goes with pacs.029 and pacs.009"))
                   : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("read this ledger instead of asking a node"), 0},
    {"format", KEY_FORMAT, "pacs.029|pacs.009|csv", 0,
     N_("all nets for the settlement bank (pacs.029), each payment (pacs.009), or a table (pacs.029)"), 0},
    {"accounts", KEY_ACCOUNTS, N_("FILE"), 0,
     N_("names, account numbers and BICs of participants: CSV with code, name, account, bic"), 0},
    {"of", KEY_OF, N_("CODE"), 0, N_("only what this node pays (pacs.009), or pays and receives (csv)"), 0},
    {"schema", KEY_SCHEMA, N_("FILE"), 0, N_("write only what holds by this XML schema"), 0},
    {"out", 'o', N_("FILE"), 0, N_("write here instead of to standard output"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("[WINDOW]"),
    N_("Write the payments of a final settlement window for a bank."),
    N_("Without WINDOW it is the newest that is final. Each payment has a reference of its own, "
       "SQ-WINDOW-KIND-PAYER-PAYEE, that the bank's\n"
       "notification brings back: see 'sanquan confirm'. Participants without a BIC are named by their code "
       "(OrgId/Othr). In the file of\n"
       "accounts, the code hub is the settlement account.\n"
       "\n"
       "  sanquan settle export 7 --accounts banks.csv --out window7.xml --key zhang.key\n"
       "  sanquan settle export 7 --format csv --of 310000 --ledger /var/lib/sanquan/310000"),
    1};

static int concerns(const struct export *e, const struct sq_iso_payment *p)
{
    return e->of == NULL || strcmp(p->payer, e->of) == 0 || strcmp(p->payee, e->of) == 0;
}

/* What 'sanquan confirm --payments' reads. */
static sq_status write_csv(const struct export *e, const struct sq_iso_window *w, uint8_t **bytes, size_t *size,
                           struct sq_error *err)
{
    char *text = NULL, reference[SQ_ISO_REFERENCE_SIZE];
    FILE *f = open_memstream(&text, size);
    if (f == NULL)
        return sq_fail(err, SQ_E_NOMEM, "CSV");
    fputs("reference,kind,payer,payee,amount_fen\n", f);
    for (size_t i = 0; i < w->payment_count; i++) {
        const struct sq_iso_payment *p = &w->payments[i];
        sq_iso_reference(w->window, p, reference);
        if (concerns(e, p))
            fprintf(f, "%s,%u,%s,%s,%" PRId64 "\n", reference, p->kind, p->payer, p->payee, p->amount_fen);
    }
    if (fclose(f) != 0)
        return sq_fail(err, SQ_E_NOMEM, "CSV");
    *bytes = (uint8_t *)text;
    return SQ_OK;
}

static sq_status make(const struct export *e, const struct sq_iso_window *w, uint8_t **bytes, size_t *size,
                      struct sq_error *err)
{
    if (strcmp(e->format, "csv") == 0)
        return write_csv(e, w, bytes, size, err);
    sq_status st = strcmp(e->format, "pacs.009") == 0 ? sq_iso_pacs009(w, e->of, bytes, size, err)
                                                      : sq_iso_pacs029(w, bytes, size, err);
    return st == SQ_OK && e->schema != NULL ? sq_xml_validate(sq_bytes_of(*bytes, *size), e->schema, err) : st;
}

static sq_status export_window(const struct export *e, const struct sq_cli *cli, const json_t *window, size_t *count,
                               struct sq_error *err)
{
    struct sq_bank_parties parties = {0};
    struct sq_iso_window w = {.window = e->window,
                              .final_ms = (uint64_t)json_integer_value(json_object_get(window, "final_ms")),
                              .hash = json_string_value(json_object_get(window, "settlement_hash"))};
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (w.hash == NULL)
        return sq_fail(err, SQ_R_WINDOW_STATE, _("window %" PRIu64 " is not final: nothing is to be paid yet"),
                       e->window);
    sq_status st = e->accounts != NULL ? sq_bank_parties_read(cli, e->accounts, &parties, err) : SQ_OK;
    struct sq_iso_payment *payments = sq_bank_payments(window, &w.payment_count);
    w.payments = payments;
    w.parties = parties.rows;
    w.party_count = parties.count;
    if (st == SQ_OK)
        st = make(e, &w, &bytes, &size, err);
    if (st == SQ_OK && (e->out != NULL || !cli->json))
        st = sq_bank_write(e->out, bytes, size, err);
    *count = w.payment_count;
    free(bytes);
    free(payments);
    sq_bank_parties_free(&parties);
    return st;
}

int sq_cmd_settle_export(struct sq_cli *cli, int argc, char **argv)
{
    struct export e = {.format = "pacs.029"};
    struct sq_error err = {0};
    json_t *window = NULL;
    size_t count = 0;
    int code = sq_cli_parse(cli, &args, argc, argv, &e);
    if (code != SQ_PARSED)
        return code;
    if (cli->json && e.out == NULL)
        return sq_cli_usage(cli, _("--json needs --out FILE: both would go to standard output"));
    sq_status st = sq_settle_window(cli, e.ledger, &e.window, &window, &err);
    if (st == SQ_OK)
        st = export_window(&e, cli, window, &count, &err);
    json_decref(window);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:I, s:s, s:s, s:I}", "window", (json_int_t)e.window, "format", e.format, "file", e.out,
                              "payments", (json_int_t)count));
    else if (e.out != NULL)
        sq_cli_note(cli, _("window %" PRIu64 ": written to %s"), e.window, e.out);
    return SQ_EXIT_DONE;
}
