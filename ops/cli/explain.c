/*
 * sanquan explain: one row decided again from the journal, with every rule and number that its decision looked at.
 *
 *   invoice, voucher -> history: which rows -> SEQ.ROW
 *   SEQ.ROW -> the journal is replayed up to the entry that decides the row, which the core watches -> table or JSON
 *
 * The journal is the only source: what is shown is what the decision computed, not a later guess. A ledger explains what its own node
 * decided; for a row that another node decided, that node is named. An invoice's home explains what its register said of a claim.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/cli.h"
#include "ops/cli/explanation.h"
#include "ops/cli/names.h"
#include "ops/cli/source.h"
#include "ops/cli/text.h"
#include "ops/common/replay.h"
#include "peers/crypto.h"
#include "proto/sanquan.pb-c.h"

struct explaining {
    const struct sq_cli *cli;
    const char *ledger;
    char acquirer[7]; /* "": the ledger's own node */
    uint64_t batch, row;
    const char *invoice, *by_voucher; /* instead of SEQ.ROW */
    int last;
    struct sq_bar bar;
    /* found on the way */
    int in_batch; /* the row is there */
    uint64_t voucher;
    uint8_t verb;
    uint32_t bundle;     /* 0: the row is by itself, or this is not its acquirer's ledger */
    json_t *bundle_rows; /* the other rows of it */
    uint64_t last_ms;    /* of the newest entry: the one that decided, when one did */
    uint32_t last_type;
    char issuer_node[7]; /* where the row's voucher is decided on */
    char last_sender[SQ_NAME_SIZE_MAX + 1];
};

enum asked { ASK_NOBODY, ASK_ISSUER, ASK_HOME };

/* ---- usage ---- */

enum { KEY_LEDGER = 0x100, KEY_ACQUIRER, KEY_INVOICE, KEY_VOUCHER, KEY_LAST };

static error_t parse_item(struct explaining *x, char *value, const struct argp_state *state)
{
    char *dot = strchr(value, '.');
    if (dot != NULL) {
        *dot = '\0';
        int good = sq_args_number(value, 2, UINT64_MAX, &x->batch) &&
                   sq_args_number(dot + 1, 0, SQ_BATCH_ROWS_MAX - 1, &x->row);
        *dot = '.';
        if (good)
            return 0;
    }
    return sq_args_wrong(state, _("%s: write SEQ.ROW, the receipt's entry and the row in it from 0, as in 1207.3"),
                         value);
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct explaining *x = state->input;
    uint64_t number;
    uint8_t cell[10];
    switch (key) {
    case KEY_LEDGER:
        x->ledger = value;
        return 0;
    case KEY_ACQUIRER:
        if (strlen(value) != 6 || !sq_args_number(value, 100000, 999999, &number))
            return sq_args_wrong(state, _("--acquirer %s: a node's six-digit code goes here"), value);
        memcpy(x->acquirer, value, sizeof x->acquirer);
        return 0;
    case KEY_INVOICE:
        x->invoice = value;
        return sq_invoice_read(value, cell)
                   ? 0
                   : sq_args_wrong(state, _("%s: not an invoice number of 20 digits (18 for an old one)"), value);
    case KEY_VOUCHER:
        x->by_voucher = value;
        return strlen(value) == 19 && sq_read_number(value, &number)
                   ? 0
                   : sq_args_wrong(state, _("%s: not a voucher number"), value);
    case KEY_LAST:
        x->last = 1;
        return 0;
    case ARGP_KEY_ARG:
        return x->batch != 0 ? ARGP_ERR_UNKNOWN : parse_item(x, value, state);
    case ARGP_KEY_END:
        return (x->batch != 0) + (x->invoice != NULL) + (x->by_voucher != NULL) != 1
                   ? sq_args_wrong(state, _("say which row: SEQ.ROW, --invoice NUMBER or --voucher NUMBER"))
               : x->ledger == NULL ? sq_args_wrong(state, _("say which ledger: --ledger DIR"))
                                   : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("the ledger, or a copy of it"), 0},
    {"acquirer", KEY_ACQUIRER, N_("NODE"), 0, N_("SEQ is an entry of this node's ledger, not of the one that is read"),
     0},
    {"invoice", KEY_INVOICE, N_("NUMBER"), 0, N_("the row on this invoice"), 0},
    {"voucher", KEY_VOUCHER, N_("NUMBER"), 0, N_("the row on this voucher"), 0},
    {"last", KEY_LAST, NULL, 0, N_("of several rows the newest; without it they are listed"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("[SEQ.ROW]"),
    N_("Show why a row was accepted or refused: the rule that decided, and every number that went in: rate, base, each "
       "cap with what was left, pool, "
       "mandate, voucher."),
    N_("SEQ is the batch's entry in the ledger of the node that took it (the receipt's seq), ROW the row in it from 0; "
       "FILE.refused of\n"
       "'submit' has both as refused_item. The journal is decided again up to there, which takes about as long as a "
       "node takes to start\n"
       "without a snapshot. The node may go on working meanwhile. The node of the issuer decides: for rows of other "
       "issuers, ask at their\n"
       "node, and say whose entry it is. The home of an invoice explains what its register said of another node's "
       "claim.\n"
       "\n"
       "  sanquan explain --invoice 26312000000000000001 --ledger /var/lib/sanquan/310000\n"
       "  sanquan explain --voucher 3100000001000000001 --last --ledger /var/lib/sanquan/310000\n"
       "  sanquan explain 1207.3 --ledger /var/lib/sanquan/310000\n"
       "  sanquan explain 1207.3 --acquirer 370000 --ledger /var/lib/sanquan/310000 --json"),
    0};

/* ---- which row: by its invoice or its voucher ---- */

#define ROWS_LISTED 20u

/* A row is in one ledger as a batch's, in another as a request's, in a third as a claim; here it counts once. */
static int seen_before(const json_t *items, size_t i)
{
    const json_t *x = json_array_get(items, i);
    for (size_t k = 0; k < i; k++) {
        const json_t *y = json_array_get(items, k);
        if (json_equal(json_object_get(x, "creditor"), json_object_get(y, "creditor")) &&
            json_equal(json_object_get(x, "batch"), json_object_get(y, "batch")) &&
            json_equal(json_object_get(x, "batch_row"), json_object_get(y, "batch_row")))
            return 1;
    }
    return 0;
}

/* How to name it: SEQ.ROW, and whose entry it is. */
static void name_row(const json_t *item, const char *self, char out[static 60])
{
    const char *creditor = json_string_value(json_object_get(item, "creditor"));
    int own = creditor == NULL || strcmp(creditor, self) == 0;
    snprintf(out, 60, "%" JSON_INTEGER_FORMAT ".%" JSON_INTEGER_FORMAT "%s%s",
             json_integer_value(json_object_get(item, "batch")), json_integer_value(json_object_get(item, "batch_row")),
             own ? "" : " --acquirer ", own ? "" : creditor);
}

static void list_rows(const struct explaining *x, const json_t *rows, const char *self)
{
    char name[60], time[SQ_TEXT_SIZE], money[SQ_TEXT_SIZE];
    size_t i;
    json_t *item;
    json_array_foreach(rows, i, item)
    {
        if (i == ROWS_LISTED)
            break;
        name_row(item, self, name);
        sq_cli_note(x->cli, "  %-30s %s  %s  %s", name,
                    sq_text_time((uint64_t)json_integer_value(json_object_get(item, "at_ms")), time),
                    json_string_value(json_object_get(item, "verb")),
                    sq_text_yuan(json_integer_value(json_object_get(item, "amount_fen")), money));
    }
}

static sq_status choose_row(struct explaining *x, const json_t *items, const char *self, struct sq_error *err)
{
    json_t *rows = sq_need(json_array()), *item;
    size_t i;
    sq_status st = SQ_OK;
    json_array_foreach(items, i, item)
    {
        const char *role = json_string_value(json_object_get(item, "role"));
        if (role != NULL && strcmp(role, "ended") != 0 && !seen_before(items, i))
            json_array_append(rows, item);
    }
    if (json_array_size(rows) == 0) {
        st = sq_fail(err, SQ_E_NOT_FOUND, _("this ledger has no row on it"));
    } else if (json_array_size(rows) > 1 && !x->last) {
        list_rows(x, rows, self);
        st = sq_fail(err, SQ_E_USAGE, _("%zu rows are on it: say which one, or --last for the newest"),
                     json_array_size(rows));
    } else {
        const char *creditor = json_string_value(json_object_get(item = json_array_get(rows, 0), "creditor"));
        x->batch = (uint64_t)json_integer_value(json_object_get(item, "batch"));
        x->row = (uint64_t)json_integer_value(json_object_get(item, "batch_row"));
        snprintf(x->acquirer, sizeof x->acquirer, "%s", strcmp(creditor, self) == 0 ? "" : creditor);
    }
    json_decref(rows);
    return st;
}

static sq_status find_row(struct explaining *x, struct sq_error *err)
{
    struct sq_source source;
    char question[120], digits[21];
    uint8_t cell[10];
    json_t *answer = NULL;
    sq_status st = sq_source_open(x->cli, x->ledger, &source, err);
    if (x->invoice != NULL && sq_invoice_read(x->invoice, cell)) {
        sq_hex(cell, sizeof cell, digits);
        snprintf(question, sizeof question, "invoice=%s&claims=1&order=newest&max=500", digits);
    } else {
        snprintf(question, sizeof question, "voucher=%s&claims=1&order=newest&max=500", x->by_voucher);
    }
    if (st == SQ_OK)
        st = sq_source_ask(&source, question, &answer, err);
    if (st == SQ_OK)
        st = choose_row(x, json_object_get(answer, "items"), source.node, err);
    json_decref(answer);
    sq_source_close(&source);
    return st;
}

/* ---- finding the row in the journal ---- */

static void found(struct explaining *x, uint64_t voucher, const ProtobufCBinaryData *verb, size_t at)
{
    x->in_batch = 1;
    x->voucher = voucher;
    x->verb = at < verb->len ? verb->data[at] : (uint8_t)SANQUAN__V1__VERB__REDEEM;
}

static sq_status look_into_batch(struct explaining *x, sq_bytes body, struct sq_error *err)
{
    Sanquan__V1__Batch *m = sanquan__v1__batch__unpack(NULL, body.size, body.data);
    if (m == NULL)
        return sq_fail(err, SQ_E_NOMEM, "a batch");
    if (x->row < m->n_voucher) {
        found(x, m->voucher[x->row], &m->verb, (size_t)x->row);
        x->bundle = x->row < m->n_bundle ? m->bundle[x->row] : 0;
    }
    for (size_t i = 0; x->bundle != 0 && i < m->n_bundle; i++)
        if (m->bundle[i] == x->bundle && i != x->row)
            json_array_append_new(x->bundle_rows, sq_need(json_integer((json_int_t)i)));
    sq_status st =
        x->in_batch ? SQ_OK
                    : sq_fail(err, SQ_E_NOT_FOUND, _("batch %" PRIu64 " has %zu rows, from 0"), x->batch, m->n_voucher);
    sanquan__v1__batch__free_unpacked(m, NULL);
    return st;
}

static sq_status look_into_clear(struct explaining *x, sq_bytes body, struct sq_error *err)
{
    Sanquan__V1__Clear *m = sanquan__v1__clear__unpack(NULL, body.size, body.data);
    if (m == NULL)
        return sq_fail(err, SQ_E_NOMEM, "a request");
    for (size_t k = 0; m->batch == x->batch && k < m->n_row; k++)
        if (m->row[k] == x->row)
            found(x, m->items->voucher[k], &m->items->verb, k);
    sanquan__v1__clear__free_unpacked(m, NULL);
    return SQ_OK;
}

/* Of a claim on an invoice whose home is here. */
static sq_status look_into_register(struct explaining *x, sq_bytes body, struct sq_error *err)
{
    Sanquan__V1__Register *m = sanquan__v1__register__unpack(NULL, body.size, body.data);
    const uint8_t back = SANQUAN__V1__VERB__RETURN;
    if (m == NULL)
        return sq_fail(err, SQ_E_NOMEM, "a registration");
    for (size_t k = 0; m->batch == x->batch && k < m->n_row; k++)
        if (m->row[k] == x->row) {
            union {
                const uint8_t *in;
                uint8_t *out;
            } verb = {&back}; /* only read */
            ProtobufCBinaryData none = {0, NULL}, returns = {1, verb.out};
            found(x, m->voucher[k], m->amount_fen[k] < 0 ? &returns : &none, 0);
        }
    sanquan__v1__register__free_unpacked(m, NULL);
    return SQ_OK;
}

/* Where the row's voucher is decided on. */
static void find_issuer(struct explaining *x, const struct sq_core *core)
{
    uint64_t prefix = x->voucher / 1000000000u;
    for (uint32_t i = 0; x->in_batch && x->issuer_node[0] == '\0' && i < sq_core_programme_count(core); i++) {
        struct sq_programme_view p;
        sq_core_programme(core, i, &p);
        if (p.issuer == prefix / 10000 && p.number == prefix % 10000)
            snprintf(x->issuer_node, sizeof x->issuer_node, "%s", sq_core_node(core, p.node)->code);
    }
}

static sq_status visit(void *ctx, const struct sq_core *core, const struct sq_entry *entry,
                       const struct sq_envelope *envelope, const struct sq_effects *effects, struct sq_error *err)
{
    struct explaining *x = ctx;
    const char *self = sq_core_node(core, sq_core_self(core))->code;
    int own = x->acquirer[0] == '\0' || strcmp(x->acquirer, self) == 0;
    (void)effects;
    sq_bar_at(&x->bar, entry->seq);
    x->last_ms = entry->now_ms;
    x->last_type = entry->type;
    snprintf(x->last_sender, sizeof x->last_sender, "%s", envelope != NULL ? envelope->sender : "");
    if (own && entry->seq == x->batch)
        return entry->type == SANQUAN__V1__MESSAGE_TYPE__BATCH && envelope != NULL
                   ? look_into_batch(x, envelope->body, err)
                   : sq_fail(err, SQ_E_NOT_FOUND, _("entry %" PRIu64 " of node %s is no batch of redemptions"),
                             x->batch, self);
    int from_acquirer = !own && envelope != NULL && strncmp(envelope->sender, "node:", 5) == 0 &&
                        strcmp(envelope->sender + strlen("node:"), x->acquirer) == 0;
    sq_status st = SQ_OK;
    if (from_acquirer && entry->type == SANQUAN__V1__MESSAGE_TYPE__CLEAR)
        st = look_into_clear(x, envelope->body, err);
    else if (from_acquirer && entry->type == SANQUAN__V1__MESSAGE_TYPE__REGISTER)
        st = look_into_register(x, envelope->body, err);
    find_issuer(x, core);
    return st;
}

/* A refusal that comes from the home of an invoice, not from an issuer. */
static int is_of_home(unsigned status)
{
    return (status >= SQ_R_INVOICE_FORMAT && status <= SQ_R_INVOICE_STACKING) || status == SQ_R_RETURN_EXCEEDS;
}

/*
 * Which node knows more than this one: the one whose answer decided the row, or is waited for. What came out in the batch's own entry, or
 * when an invoice's home had let it pass, was decided here; so was a part of a bundle that another part has broken.
 */
static enum asked whom_to_ask(const struct explaining *x, const struct sq_explain *why)
{
    int by_issuer = x->last_type == SANQUAN__V1__MESSAGE_TYPE__DECIDED && why->status != SQ_R_BUNDLE &&
                    strcmp(x->last_sender + strlen("node:"), x->issuer_node) == 0;
    if (why->decided && (by_issuer || (x->last_type == SANQUAN__V1__MESSAGE_TYPE__REGISTER && why->status == SQ_OK)))
        return ASK_ISSUER;
    return why->decided && x->last_type == SANQUAN__V1__MESSAGE_TYPE__REGISTERED && is_of_home(why->status)
               ? ASK_HOME
               : ASK_NOBODY;
}

/* ---- showing ---- */

struct outcome {
    struct sq_explain *x;
    const char *acquirer;
    enum asked asked;
    const char *ask; /* the node; NULL with ASK_NOBODY */
};

static const char *const verbs[] = {"?", "redeem", "reserve", "commit", "release", "return"};

static void print(const struct explaining *in, const struct outcome *o)
{
    char time[SQ_TEXT_SIZE];
    printf(_("batch %" PRIu64 " of node %s, row %" PRIu64 ": voucher %" PRIu64 "\n"), in->batch, o->acquirer, in->row,
           in->voucher);
    if (o->x->decided && in->last_type == SANQUAN__V1__MESSAGE_TYPE__REGISTER)
        printf(_("this node is the home of its invoice; what its register said in entry %" PRIu64 ", %s:\n"), o->x->seq,
               sq_text_time(in->last_ms, time));
    else if (o->x->decided)
        printf(_("decided by entry %" PRIu64 " of this ledger, %s\n"), o->x->seq, sq_text_time(in->last_ms, time));
    else
        puts(_("not decided yet: it waits for another node"));
    if (in->bundle != 0) {
        char *rows = sq_need(json_dumps(in->bundle_rows, JSON_COMPACT));
        printf(_("part of bundle %u, with rows %s: they are spent together or not at all\n"), in->bundle, rows);
        free(rows);
    }
    if (o->x->decided)
        sq_explanation_print(o->x);
    if (o->asked == ASK_HOME)
        printf(_("Node %s is the home of this invoice and knows what was claimed on it: 'sanquan history --invoice' "
                 "there.\n"),
               o->ask);
    if (o->asked == ASK_ISSUER)
        printf(_("Node %s decides on this voucher and knows the numbers; ask there:\n  sanquan explain %" PRIu64
                 ".%" PRIu64 " --acquirer %s --ledger LEDGER-OF-%s\n"),
               o->ask, in->batch, in->row, o->acquirer, o->ask);
}

static void print_json(const struct explaining *in, const struct outcome *o)
{
    char voucher[24];
    json_t *j = o->x->decided ? sq_explanation_json(o->x) : sq_need(json_object());
    snprintf(voucher, sizeof voucher, "%" PRIu64, in->voucher);
    json_object_update_new(
        j, sq_need(json_pack("{s:b, s:s, s:I, s:I, s:I, s:I, s:s, s:s}", "decided", o->x->decided, "acquirer",
                             o->acquirer, "batch", (json_int_t)in->batch, "row", (json_int_t)in->row, "decided_seq",
                             (json_int_t)o->x->seq, "decided_ms", (json_int_t)(o->x->decided ? in->last_ms : 0),
                             "voucher", voucher, "verb", verbs[in->verb < 6 ? in->verb : 0])));
    if (in->bundle != 0) {
        json_object_set_new(j, "bundle", json_integer(in->bundle));
        json_object_set(j, "bundle_rows", in->bundle_rows);
    }
    json_object_set_new(j, "ask_node", o->ask != NULL ? json_string(o->ask) : json_null());
    sq_cli_json(j);
}

static sq_status explain(struct explaining *x, struct sq_explain *why, struct sq_error *err)
{
    struct sq_ledger_options o = {.path = x->ledger, .read_only = 1};
    struct sq_ledger *ledger = NULL;
    struct sq_core *core = NULL;
    sq_status st = sq_ledger_open(&o, &ledger, err);
    if (st != SQ_OK)
        return st;
    sq_bar_begin(&x->bar, x->cli, _("Entries"), sq_ledger_seq(ledger));
    st = sq_replay_explain(ledger, sq_ed25519_key_ok, x->acquirer, x->batch, (uint32_t)x->row, visit, x, why, &core,
                           err);
    sq_bar_end(&x->bar);
    if (st == SQ_OK && !x->in_batch)
        st = sq_fail(err, SQ_E_NOT_FOUND,
                     _("row %" PRIu64 " of batch %" PRIu64 " of node %s has not come to this ledger"), x->row, x->batch,
                     x->acquirer[0] != '\0' ? x->acquirer : sq_core_node(core, sq_core_self(core))->code);
    if (st == SQ_OK) {
        struct outcome out = {why, x->acquirer[0] != '\0' ? x->acquirer : sq_core_node(core, sq_core_self(core))->code,
                              whom_to_ask(x, why), NULL};
        if (out.asked != ASK_NOBODY)
            out.ask =
                x->last_type == SANQUAN__V1__MESSAGE_TYPE__REGISTER ? x->issuer_node : x->last_sender + strlen("node:");
        if (x->cli->json)
            print_json(x, &out);
        else
            print(x, &out);
    }
    sq_core_free(core);
    sq_ledger_close(ledger);
    return st;
}

int sq_cmd_explain(struct sq_cli *cli, int argc, char **argv)
{
    struct explaining x = {.cli = cli, .bundle_rows = sq_need(json_array())};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &args, argc, argv, &x);
    if (code == SQ_PARSED) {
        struct sq_explain *why = sq_need(calloc(1, sizeof *why));
        sq_status st = x.batch == 0 ? find_row(&x, &err) : SQ_OK;
        if (st == SQ_OK)
            st = explain(&x, why, &err);
        free(why);
        code = st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
    }
    json_decref(x.bundle_rows);
    return code;
}
