/*
 * sanquan explain: one row decided again from the journal, with every rule and number that its decision looked at.
 *
 *   SEQ.ROW -> the journal is replayed up to the entry that decides the row, which the core watches -> table or JSON
 *
 * The journal is the only source: what is shown is what the decision computed, not a later guess. A ledger explains what its own node
 * decided; for a row that another node decided, that node is named.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/cli.h"
#include "ops/cli/explanation.h"
#include "ops/cli/text.h"
#include "ops/common/replay.h"
#include "peers/crypto.h"
#include "proto/sanquan.pb-c.h"

struct explaining {
    const struct sq_cli *cli;
    const char *ledger;
    char acquirer[7]; /* "": the ledger's own node */
    uint64_t batch, row;
    struct sq_bar bar;
    /* found on the way */
    int in_batch; /* the row is there */
    uint64_t voucher;
    uint8_t verb;
    uint64_t last_ms; /* of the newest entry: the one that decided, when one did */
    uint32_t last_type;
    char last_sender[SQ_NAME_SIZE_MAX + 1];
};

enum asked { ASK_NOBODY, ASK_ISSUER, ASK_HOME };

/* ---- usage ---- */

enum { KEY_LEDGER = 0x100, KEY_ACQUIRER };

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
    switch (key) {
    case KEY_LEDGER:
        x->ledger = value;
        return 0;
    case KEY_ACQUIRER:
        if (strlen(value) != 6 || !sq_args_number(value, 100000, 999999, &number))
            return sq_args_wrong(state, _("--acquirer %s: a node's six-digit code goes here"), value);
        memcpy(x->acquirer, value, sizeof x->acquirer);
        return 0;
    case ARGP_KEY_ARG:
        return x->batch != 0 ? ARGP_ERR_UNKNOWN : parse_item(x, value, state);
    case ARGP_KEY_END:
        return x->batch == 0       ? sq_args_wrong(state, _("say which row: SEQ.ROW"))
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
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("SEQ.ROW"),
    N_("Show why a row was accepted or refused: the rule that decided, and every number that went in: rate, base, each "
       "cap with what was left, pool, "
       "mandate, voucher."),
    N_("SEQ is the batch's entry in the ledger of the node that took it (the receipt's seq), ROW the row in it from 0; "
       "FILE.refused of\n"
       "'submit' has both as refused_item. The journal is decided again up to there, which takes about as long as a "
       "node takes to start\n"
       "without a snapshot. The node may go on working meanwhile. The node of the issuer decides: for rows of other "
       "issuers, ask at their\n"
       "node, and say whose entry it is.\n"
       "\n"
       "  sanquan explain 1207.3 --ledger /var/lib/sanquan/310000\n"
       "  sanquan explain 1207.3 --acquirer 370000 --ledger /var/lib/sanquan/310000 --json"),
    0};

/* ---- finding the row ---- */

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
    if (x->row < m->n_voucher)
        found(x, m->voucher[x->row], &m->verb, (size_t)x->row);
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
        return entry->type == SANQUAN__V1__MESSAGE_TYPE__BATCH
                   ? look_into_batch(x, envelope->body, err)
                   : sq_fail(err, SQ_E_NOT_FOUND, _("entry %" PRIu64 " of node %s is no batch of redemptions"),
                             x->batch, self);
    if (!own && entry->type == SANQUAN__V1__MESSAGE_TYPE__CLEAR &&
        strcmp(envelope->sender + strlen("node:"), x->acquirer) == 0)
        return look_into_clear(x, envelope->body, err);
    return SQ_OK;
}

/* A refusal that comes from the home of an invoice, not from an issuer. */
static int is_of_home(unsigned status)
{
    return (status >= SQ_R_INVOICE_FORMAT && status <= SQ_R_INVOICE_STACKING) || status == SQ_R_RETURN_EXCEEDS;
}

/*
 * Which node knows more than this one: the one whose answer decided the row, or is waited for. What came out in the batch's own entry, or
 * when an invoice's home had let it pass, was decided here.
 */
static enum asked whom_to_ask(const struct explaining *x, const struct sq_explain *why)
{
    if (why->decided && x->last_type == SANQUAN__V1__MESSAGE_TYPE__DECIDED)
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
    if (o->x->decided)
        printf(_("decided by entry %" PRIu64 " of this ledger, %s\n"), o->x->seq, sq_text_time(in->last_ms, time));
    else
        puts(_("not decided yet: it waits for another node"));
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
            out.ask = x->last_sender + strlen("node:");
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
    struct explaining x = {.cli = cli};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    struct sq_explain *why = sq_need(calloc(1, sizeof *why));
    sq_status st = explain(&x, why, &err);
    free(why);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
