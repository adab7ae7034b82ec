/*
 * sanquan org, org facts, org edges, org sanction: what is known of organisations, who controls or is related to whom, and sanctions.
 *
 * Facts and edges come from a file, all of it right or nothing sent; saying the same again changes nothing, so a run that broke off is
 * simply run again. Messages hold the rows in the file's order: of an attribute that has one value the later row counts.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/names.h"
#include "ops/cli/session.h"
#include "ops/cli/sheet.h"
#include "ops/cli/text.h"
#include "ops/common/programme_values.h"

#define REASON_MAX 200u

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}
static uint32_t number_of(const json_t *o, const char *key)
{
    return (uint32_t)json_integer_value(json_object_get(o, key));
}

/* ---- org ---- */

static error_t parse_code(int key, char *value, struct argp_state *state)
{
    const char **code = state->input;
    char why[SQ_WHY_SIZE];
    if (key == ARGP_KEY_ARG && *code == NULL) {
        *code = value;
        return sq_uscc_explain(value, why) ? 0 : sq_args_wrong(state, "%s: %s", value, why);
    }
    return key == ARGP_KEY_END && *code == NULL ? sq_args_wrong(state, _("say which organisation")) : ARGP_ERR_UNKNOWN;
}

static const struct sq_args show_args = {
    NULL,
    parse_code,
    N_("USCC"),
    N_("Show what was said of an organisation: facts, who controls or is related to it, sanctions; newest first."),
    N_("For operators of the node, its issuers, regulators, and the organisation itself. Facts 'for' an issuer count "
       "for its programmes\n"
       "alone, and hide what the node's operators say of the same attribute.\n"
       "\n"
       "  sanquan org 91310199TXXXXX0015 --key zhang.key"),
    1};

static const char *from_until(const json_t *o, char out[static 2 * SQ_TEXT_SIZE])
{
    char from[SQ_TEXT_SIZE], until[SQ_TEXT_SIZE];
    uint32_t last = number_of(o, "until_day");
    snprintf(out, 2 * SQ_TEXT_SIZE, "%s - %s", sq_text_day(number_of(o, "from_day"), from),
             last != 0 ? sq_text_day(last, until) : "");
    return out;
}

/* The word of a number, or the number. */
static const char *word_of(const json_t *o, const char *word, const char *number, char out[static SQ_TEXT_SIZE])
{
    const char *text = text_of(o, word);
    snprintf(out, SQ_TEXT_SIZE, "%u", number_of(o, number));
    return *text != '\0' ? text : out;
}

static void print_facts(const json_t *list)
{
    const char *headers[] = {_("attribute"), _("value"), _("for"), _("days")};
    char text[SQ_TEXT_SIZE], days[2 * SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *f;
    sq_grid_begin(&g, "llll", headers);
    json_array_foreach(list, i, f)
    {
        sq_grid_put(&g, "%s", word_of(f, "name", "attribute", text));
        sq_grid_put(&g, "%s", text_of(f, "text"));
        if (number_of(f, "issuer") != 0)
            sq_grid_put(&g, "%06u", number_of(f, "issuer"));
        else
            sq_grid_put(&g, "%s", _("all"));
        sq_grid_put(&g, "%s", from_until(f, days));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_edges(const json_t *list)
{
    const char *headers[] = {_("owner"), _("owned"), _("kind"), _("days")};
    char days[2 * SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *e;
    sq_grid_begin(&g, "llll", headers);
    json_array_foreach(list, i, e)
    {
        sq_grid_put(&g, "%s", text_of(e, "owner"));
        sq_grid_put(&g, "%s", text_of(e, "owned"));
        sq_grid_put(&g, "%s", strcmp(text_of(e, "kind"), "controls") == 0 ? _("controls") : _("related"));
        sq_grid_put(&g, "%s", from_until(e, days));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_sanctions(const json_t *list)
{
    const char *headers[] = {_("sanction"), _("excludes from"), _("by"), _("days")};
    char text[SQ_TEXT_SIZE], days[2 * SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *s;
    sq_grid_begin(&g, "llll", headers);
    json_array_foreach(list, i, s)
    {
        sq_grid_put(&g, "%s", word_of(s, "name", "cause", text));
        sq_grid_put(&g, "%s", strcmp(text_of(s, "effect"), "grants") == 0 ? _("new grants") : _("everything"));
        sq_grid_put(&g, "%s", text_of(s, "authority"));
        sq_grid_put(&g, "%s", from_until(s, days));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_org(const json_t *o)
{
    static void (*const print[])(const json_t *) = {print_facts, print_edges, print_sanctions};
    static const char *const parts[] = {"facts", "edges", "sanctions"};
    size_t said = 0;
    for (size_t i = 0; i < 3; i++) {
        const json_t *list = json_object_get(o, parts[i]);
        if (json_array_size(list) == 0)
            continue;
        if (said++ != 0)
            putchar('\n');
        print[i](list);
    }
    if (said == 0)
        puts(_("Nothing was said of it."));
}

int sq_cmd_org(struct sq_cli *cli, int argc, char **argv)
{
    const char *code = NULL;
    char path[40];
    struct sq_session s;
    struct sq_error err = {0};
    json_t *answer = NULL;
    int rc = sq_cli_parse(cli, &show_args, argc, argv, &code);
    if (rc != SQ_PARSED)
        return rc;
    snprintf(path, sizeof path, "org/%s", code);
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_ask(&s, path, &answer, &err);
    sq_session_close(&s);
    if ((unsigned)st == SQ_R_UNKNOWN_SENDER) { /* nobody has named it yet: nothing is known */
        st = SQ_OK;
        answer = sq_need(json_pack("{s:s, s:[], s:[], s:[]}", "org", code, "facts", "edges", "sanctions"));
    }
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_incref(answer));
    else
        print_org(answer);
    json_decref(answer);
    return SQ_EXIT_DONE;
}

/* ---- statements of a file ---- */

struct statement {
    char org[2][19]; /* whose fact it is; or owner and owned */
    uint32_t attribute, kind, from_day, until_day;
    int64_t value;
};

struct stating {
    const char *path;
    struct statement *list;
    size_t count, capacity;
    struct sq_problems problems;
    uint32_t issuer; /* facts: whose programmes go by them */
};

/* What a kind of statement adds: its columns, how a row is read, how rows are sent. */
struct form {
    const struct sq_column *columns;
    unsigned column_count, from, until;
    size_t most; /* rows of a message */
    void (*read)(struct sq_cells *c, struct statement *to);
    sq_status (*send)(struct sq_session *s, const struct stating *x, const struct statement *from, size_t count,
                      struct sq_error *err);
};

static error_t parse_file(int key, char *value, struct argp_state *state)
{
    struct stating *x = state->input;
    if (key == ARGP_KEY_ARG && x->path == NULL) {
        x->path = value;
        return 0;
    }
    return key == ARGP_KEY_END && x->path == NULL ? sq_args_wrong(state, _("say which file")) : ARGP_ERR_UNKNOWN;
}

static void read_row(struct stating *x, const struct form *form, const struct sq_sheet *sheet, const struct sq_row *row)
{
    struct sq_cells c;
    struct statement st = {0};
    if (!sq_cells_begin(&c, sheet, row, &x->problems))
        return;
    form->read(&c, &st);
    st.from_day = sq_cell_day(&c, form->from);
    st.until_day = *row->cell[form->until] != '\0' ? sq_cell_day(&c, form->until) : 0;
    if (!c.bad && st.until_day != 0 && st.until_day < st.from_day)
        sq_cells_wrong(&c, form->until, _("lies before the first day"));
    if (x->count == x->capacity) {
        x->capacity = x->capacity == 0 ? 1024 : x->capacity * 2;
        x->list = sq_need(realloc(x->list, x->capacity * sizeof *x->list));
    }
    x->list[x->count++] = st;
}

static sq_status read_file(const struct sq_cli *cli, struct stating *x, const struct form *form, struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_row row;
    sq_status st = sq_sheet_open(x->path, form->columns, form->column_count, &sheet, err);
    if (st != SQ_OK)
        return st;
    sq_problems_begin(&x->problems, cli, x->path);
    while (sq_sheet_next(sheet, &row))
        read_row(x, form, sheet, &row);
    sq_problems_end(&x->problems);
    sq_sheet_close(sheet);
    if (x->problems.count != 0)
        return sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was sent"), x->problems.count);
    return x->count != 0 ? SQ_OK : sq_fail(err, SQ_E_FORMAT, _("%s has no row to send"), x->path);
}

/* The distinct codes of rows, ascending, as a message has them; and where each row's are. */
struct codes {
    char *code[2 * SQ_BATCH_ROWS_MAX];
    size_t count;
    uint32_t at[2][SQ_BATCH_ROWS_MAX];
};

static int by_code(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_codes(struct codes *c, struct statement *from, size_t count, unsigned each)
{
    size_t n = 0, distinct = 0;
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < each; k++)
            c->code[n++] = from[i].org[k];
    qsort(c->code, n, sizeof *c->code, by_code);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(c->code[distinct - 1], c->code[i]) != 0)
            c->code[distinct++] = c->code[i];
    c->count = distinct;
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < each; k++) {
            char *key = from[i].org[k], **found = bsearch(&key, c->code, distinct, sizeof *c->code, by_code);
            c->at[k][i] = (uint32_t)(found - c->code);
        }
}

static sq_status send_all(const struct sq_cli *cli, struct stating *x, const struct form *form, size_t *sent,
                          struct sq_error *err)
{
    struct sq_session s;
    struct sq_bar bar;
    sq_status st = sq_session_open(cli, 1, &s, err);
    if (st == SQ_OK && strncmp(s.keys->name, "issuer:", 7) == 0)
        x->issuer = (uint32_t)strtoul(s.keys->name + 7, NULL, 10);
    sq_bar_begin(&bar, cli, _("sending"), x->count);
    while (st == SQ_OK && *sent < x->count) {
        size_t n = x->count - *sent < form->most ? x->count - *sent : form->most;
        st = form->send(&s, x, x->list + *sent, n, err);
        *sent += st == SQ_OK ? n : 0;
        sq_bar_at(&bar, *sent);
    }
    sq_bar_end(&bar);
    sq_session_close(&s);
    return st;
}

static int state_file(struct sq_cli *cli, int argc, char **argv, const struct sq_args *args, const struct form *form)
{
    struct stating x = {0};
    struct sq_error err = {0};
    char number[SQ_TEXT_SIZE];
    size_t sent = 0;
    int code = sq_cli_parse(cli, args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sq_status st = read_file(cli, &x, form, &err);
    if (st == SQ_OK)
        st = send_all(cli, &x, form, &sent, &err);
    if (st != SQ_OK) {
        code = sq_cli_fail_about(cli, &err, x.problems.count != 0 ? x.problems.list : NULL);
        if (sent != 0)
            sq_cli_note(cli, _("The first %s rows were taken; the same command again does no harm."),
                        sq_text_count(sent, number));
    } else if (cli->json) {
        sq_cli_json(json_pack("{s:I, s:I}", "stated", (json_int_t)sent, "issuer", (json_int_t)x.issuer));
    } else {
        printf(_("%s statements taken\n"), sq_text_count(sent, number));
    }
    json_decref(x.problems.list);
    free(x.list);
    return st == SQ_OK ? SQ_EXIT_DONE : code;
}

/* ---- org facts ---- */

enum { F_ORG, F_ATTRIBUTE, F_VALUE, F_FROM, F_UNTIL, F_COLUMNS };
static const struct sq_column fact_columns[F_COLUMNS] = {[F_ORG] = {"org", "机构", 1},
                                                         [F_ATTRIBUTE] = {"attribute", "属性", 1},
                                                         [F_VALUE] = {"value", "值", 1},
                                                         [F_FROM] = {"from_day", "起始日", 1},
                                                         [F_UNTIL] = {"until_day", "截止日", 0}};

static int may_be_stated(uint32_t attribute)
{
    return (attribute >= SQ_ATTR(REGION) && attribute <= SQ_ATTR(STANDARD)) || (attribute >= 100 && attribute <= 9999);
}

static void read_fact(struct sq_cells *c, struct statement *to)
{
    strncat(to->org[0], sq_cell_uscc(c, F_ORG), 18);
    to->attribute = sq_word_number(sq_words_attribute, c->row->cell[F_ATTRIBUTE]);
    if (!may_be_stated(to->attribute))
        sq_cells_wrong(
            c, F_ATTRIBUTE,
            _("not an attribute of organisations: named as in programme files, or a number from 100 to 9999"));
    else if (!sq_attribute_value(to->attribute, c->row->cell[F_VALUE], &to->value))
        sq_cells_wrong(c, F_VALUE, _("not a value of this attribute"));
}

static sq_status send_facts(struct sq_session *s, const struct stating *x, const struct statement *from, size_t count,
                            struct sq_error *err)
{
    struct columns {
        struct codes codes;
        uint32_t attribute[SQ_BATCH_ROWS_MAX], from_day[SQ_BATCH_ROWS_MAX], until_day[SQ_BATCH_ROWS_MAX];
        int64_t value[SQ_BATCH_ROWS_MAX];
    } *t = sq_need(calloc(1, sizeof *t));
    union {
        const struct statement *in;
        struct statement *out;
    } rows = {from}; /* packing only reads the codes */
    Sanquan__V1__Facts m;
    sanquan__v1__facts__init(&m);
    find_codes(&t->codes, rows.out, count, 1);
    for (size_t i = 0; i < count; i++) {
        t->attribute[i] = from[i].attribute, t->value[i] = from[i].value;
        t->from_day[i] = from[i].from_day, t->until_day[i] = from[i].until_day;
    }
    m.issuer = x->issuer;
    m.n_orgs = t->codes.count;
    m.orgs = t->codes.code;
    m.n_org = m.n_attribute = m.n_value = m.n_from_day = m.n_until_day = count;
    m.org = t->codes.at[0], m.attribute = t->attribute, m.value = t->value;
    m.from_day = t->from_day, m.until_day = t->until_day;
    sq_status st = sq_session_say(s, SANQUAN__V1__MESSAGE_TYPE__FACTS, &m.base, NULL, err);
    free(t);
    return st;
}

static const struct form facts = {fact_columns, F_COLUMNS, F_FROM, F_UNTIL, SQ_BATCH_ROWS_MAX, read_fact, send_facts};
static const struct sq_args facts_args = {
    NULL,
    parse_file,
    N_("FILE"),
    N_("State what is known of organisations, for the conditions of programmes. For issuers, of their own programmes, "
       "and for operators, of all programmes of the node."),
    N_("FILE is CSV with a header line, or JSON lines, with the columns\n"
       "  org 机构              unified social credit code\n"
       "  attribute 属性        as in programme files: region, tax_region, sector, entity, size, standing, zone, "
       "pflops,\n"
       "                        racks, level, hardware, purpose, filing, channel, grade, score, standard; a number "
       "from "
       "100 to 999\n"
       "                        for an issuer's own; from 1000 to 9999 for a list, with the value 1\n"
       "  value 值              startup, 440300, 6513, 200 ...\n"
       "  from_day 起始日       first day, as 2026-09-01\n"
       "  until_day 截止日      last day; may be left out\n"
       "Of what has one value, a new one ends the one before; filing, channel, standard, zone and lists may have "
       "several. When anything\n"
       "is wrong nothing is sent.\n"
       "\n"
       "  sanquan org facts firms.csv --key issuer.key"),
    1};

int sq_cmd_org_facts(struct sq_cli *cli, int argc, char **argv)
{
    return state_file(cli, argc, argv, &facts_args, &facts);
}

/* ---- org edges ---- */

enum { E_OWNER, E_OWNED, E_KIND, E_FROM, E_UNTIL, E_COLUMNS };
static const struct sq_column edge_columns[E_COLUMNS] = {[E_OWNER] = {"owner", "控制方", 1},
                                                         [E_OWNED] = {"owned", "被控制方", 1},
                                                         [E_KIND] = {"kind", "关系", 1},
                                                         [E_FROM] = {"from_day", "起始日", 1},
                                                         [E_UNTIL] = {"until_day", "截止日", 0}};

static void read_edge(struct sq_cells *c, struct statement *to)
{
    strncat(to->org[0], sq_cell_uscc(c, E_OWNER), 18);
    strncat(to->org[1], sq_cell_uscc(c, E_OWNED), 18);
    to->kind = sq_word_number(sq_words_edge, c->row->cell[E_KIND]);
    if (to->kind < 1 || to->kind > 2)
        sq_cells_wrong(c, E_KIND, _("it is controls or related"));
    if (!c->bad && strcmp(to->org[0], to->org[1]) == 0)
        sq_cells_wrong(c, E_OWNED, _("an organisation has no edge to itself"));
}

static sq_status send_edges(struct sq_session *s, const struct stating *x, const struct statement *from, size_t count,
                            struct sq_error *err)
{
    struct columns {
        struct codes codes;
        uint32_t kind[SQ_BATCH_ROWS_MAX], from_day[SQ_BATCH_ROWS_MAX], until_day[SQ_BATCH_ROWS_MAX];
    } *t = sq_need(calloc(1, sizeof *t));
    union {
        const struct statement *in;
        struct statement *out;
    } rows = {from};
    Sanquan__V1__Edges m;
    (void)x;
    sanquan__v1__edges__init(&m);
    find_codes(&t->codes, rows.out, count, 2);
    for (size_t i = 0; i < count; i++)
        t->kind[i] = from[i].kind, t->from_day[i] = from[i].from_day, t->until_day[i] = from[i].until_day;
    m.n_orgs = t->codes.count;
    m.orgs = t->codes.code;
    m.n_owner = m.n_owned = m.n_kind = m.n_from_day = m.n_until_day = count;
    m.owner = t->codes.at[0], m.owned = t->codes.at[1], m.kind = t->kind;
    m.from_day = t->from_day, m.until_day = t->until_day;
    sq_status st = sq_session_say(s, SANQUAN__V1__MESSAGE_TYPE__EDGES, &m.base, NULL, err);
    free(t);
    return st;
}

/* Each row may name two codes that no other does, and a message takes no more of those. */
static const struct form edges = {edge_columns,          E_COLUMNS, E_FROM,    E_UNTIL,
                                  SQ_BATCH_ROWS_MAX / 2, read_edge, send_edges};
static const struct sq_args edges_args = {
    NULL,
    parse_file,
    N_("FILE"),
    N_("State who controls or is related to whom: related parties, and whose limits are counted together. For issuers "
       "and operators."),
    N_("FILE is CSV with a header line, or JSON lines, with the columns\n"
       "  owner 控制方          unified social credit code\n"
       "  owned 被控制方        likewise\n"
       "  kind 关系             controls, or related (otherwise, in either direction)\n"
       "  from_day 起始日       first day, as 2026-09-01\n"
       "  until_day 截止日      last day; may be left out\n"
       "The same pair and kind again replaces the days. When anything is wrong nothing is sent.\n"
       "\n"
       "  sanquan org edges groups.csv --key zhang.key"),
    1};

int sq_cmd_org_edges(struct sq_cli *cli, int argc, char **argv)
{
    return state_file(cli, argc, argv, &edges_args, &edges);
}

/* ---- org sanction ---- */

struct sanction {
    char *code;
    const char *reason;
    uint32_t cause, effect, from_day, until_day;
};

enum { KEY_CAUSE = 0x100, KEY_EFFECT, KEY_FROM, KEY_UNTIL, KEY_REASON };

static error_t parse_sanction(int key, char *value, struct argp_state *state)
{
    struct sanction *x = state->input;
    char why[SQ_WHY_SIZE];
    switch (key) {
    case KEY_CAUSE:
        x->cause = sq_word_number(sq_words_cause, value);
        return x->cause >= 1 && x->cause <= 32
                   ? 0
                   : sq_args_wrong(state,
                                   _("--cause %s: dishonest, seriously_dishonest, false_claims, collusion, or 5 to 32"),
                                   value);
    case KEY_EFFECT:
        x->effect = sq_word_number(sq_words_effect, value);
        return x->effect >= 1 && x->effect <= 2
                   ? 0
                   : sq_args_wrong(state, _("--effect %s: it is grants or everything"), value);
    case KEY_FROM:
        return sq_read_day(value, &x->from_day) ? 0 : sq_args_wrong(state, _("--from %s: not a day"), value);
    case KEY_UNTIL:
        return sq_read_day(value, &x->until_day) ? 0 : sq_args_wrong(state, _("--until %s: not a day"), value);
    case KEY_REASON:
        x->reason = value;
        return strlen(value) <= REASON_MAX ? 0 : sq_args_wrong(state, _("--reason: at most %u bytes go"), REASON_MAX);
    case ARGP_KEY_ARG:
        if (x->code != NULL)
            return ARGP_ERR_UNKNOWN;
        x->code = value;
        return sq_uscc_explain(value, why) ? 0 : sq_args_wrong(state, "%s: %s", value, why);
    case ARGP_KEY_END:
        if (x->code == NULL)
            return sq_args_wrong(state, _("say which organisation"));
        if (x->cause == 0 || x->from_day == 0)
            return sq_args_wrong(state, _("--cause and --from are needed"));
        if (x->until_day != 0 && x->until_day < x->from_day)
            return sq_args_wrong(state, _("--until lies before --from"));
        return x->reason == NULL || *x->reason == '\0' ? sq_args_wrong(state, _("say why: --reason TEXT")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option sanction_options[] = {
    {"cause", KEY_CAUSE, N_("CAUSE"), 0,
     N_("dishonest (失信), seriously_dishonest (严重失信), false_claims, collusion, or a number up to 32"), 0},
    {"effect", KEY_EFFECT, "grants|everything", 0,
     N_("no new grants; or (everything, meant when left out) no redemptions either, as holder or provider"), 0},
    {"from", KEY_FROM, N_("DAY"), 0, N_("first day"), 0},
    {"until", KEY_UNTIL, N_("DAY"), 0, N_("last day; left out: no end is said"), 0},
    {"reason", KEY_REASON, N_("TEXT"), 0, N_("why, for everybody to read"), 0},
    {0},
};
static const struct sq_args sanction_args = {
    sanction_options,
    parse_sanction,
    N_("USCC"),
    N_("Exclude an organisation from vouchers for a time, at all nodes. For issuers, operators and regulators."),
    N_("The same cause again, by the same authority, replaces the days and what it excludes from: that is how one is "
       "ended early.\n"
       "\n"
       "  sanquan org sanction 91310199TXXXXX0015 --cause false_claims --from 2026-09-01 --until 2029-08-31 \\\n"
       "      --reason \"decision 2026-17\" --key zhang.key"),
    1};

int sq_cmd_org_sanction(struct sq_cli *cli, int argc, char **argv)
{
    struct sanction x = {.effect = 2};
    struct sq_session s;
    struct sq_error err = {0};
    Sanquan__V1__Sanction m;
    int code = sq_cli_parse(cli, &sanction_args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__sanction__init(&m);
    m.org = x.code;
    m.cause = x.cause;
    m.effect = x.effect;
    m.from_day = x.from_day;
    m.until_day = x.until_day;
    m.reason = sq_need(strdup(x.reason));
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK) {
        m.authority = s.keys->name;
        st = sq_session_say(&s, SANQUAN__V1__MESSAGE_TYPE__SANCTION, &m.base, NULL, &err);
    }
    sq_session_close(&s);
    free(m.reason);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:I, s:s, s:I, s:I}", "org", x.code, "cause", (json_int_t)x.cause, "effect",
                              sq_word_of(sq_words_effect, x.effect), "from_day", (json_int_t)x.from_day, "until_day",
                              (json_int_t)x.until_day));
    else
        puts(_("in force; all nodes are told"));
    return SQ_EXIT_DONE;
}
