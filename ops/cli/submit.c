/*
 * sanquan submit: a provider's redemptions, from a file to verified receipts.
 *
 *   read all rows (nothing is sent yet) -> batches in file order -> sent, several at once -> each receipt verified -> results appended,
 *   made durable -> recorded in FILE.progress
 *
 * Invariants: the bytes of a batch depend on the file alone, so a second run makes the same; result files are cut back to what
 * FILE.progress last recorded before anything is appended, so a refused row is listed once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/cli/grouper.h"
#include "ops/cli/sending.h"
#include "ops/cli/text.h"

enum { MARK_REFUSED, MARK_RECEIPTS };

struct batch { /* one on the way: what its answer is about */
    uint32_t count, *order;
    struct sq_item *items;
};

struct result_file {
    char *path;
    FILE *file;
};

struct submission {
    const struct sq_cli *cli;
    const char *path;
    int keep_going, want_receipts;
    uint64_t rows_a_batch;
    struct sq_sheet *sheet;
    struct sq_problems problems;
    uint64_t good; /* rows to be sent */
    struct sq_session session;
    struct sq_progress *progress;
    struct sq_sending sending;
    struct result_file refused, receipts;
    struct sq_bar bar;
    int went_on, was_done; /* a run before this one sent some, or all */
};

/* ---- options ---- */

enum { KEY_KEEP_GOING = 0x100, KEY_RECEIPTS, KEY_ROWS };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct submission *u = state->input;
    switch (key) {
    case KEY_KEEP_GOING:
        u->keep_going = 1;
        return 0;
    case KEY_RECEIPTS:
        u->want_receipts = 1;
        return 0;
    case KEY_ROWS:
        return sq_args_number(value, 1, SQ_BATCH_ROWS_MAX, &u->rows_a_batch)
                   ? 0
                   : sq_args_wrong(state, _("--batch-rows %s: 1 to %u go"), value, SQ_BATCH_ROWS_MAX);
    case ARGP_KEY_ARG:
        if (u->path != NULL)
            return ARGP_ERR_UNKNOWN;
        u->path = value;
        return 0;
    case ARGP_KEY_END:
        return u->path == NULL ? sq_args_wrong(state, _("say which file of redemptions")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"keep-going", KEY_KEEP_GOING, NULL, 0,
     N_("send the good lines of a file that has bad ones; otherwise nothing is sent"), 0},
    {"receipts", KEY_RECEIPTS, NULL, 0, N_("write each batch's receipt to FILE.receipts, a JSON object a line"), 0},
    {"batch-rows", KEY_ROWS, "N", 0, N_("rows a batch (8192)"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("FILE"),
    N_("Submit redemptions from a CSV file with a header line, or from a file of JSON lines. For providers, at their "
       "home node."),
    N_("Columns, in any order (Chinese names go too):\n"
       "  voucher 券号                          19 digits\n"
       "  amount_yuan 金额元, or amount_fen      the subsidy\n"
       "  base_yuan 基数元, or base_fen          the part of the invoice that is eligible\n"
       "  invoice 发票号码                      20 digits; 18 or 20 for code and number of an old one\n"
       "  invoice_total_yuan 发票总额元          or invoice_total_fen\n"
       "  service 服务, service_day 服务日期     service code or name; 2026-09-01\n"
       "  verb 操作                             redeem (when empty), reserve, commit, release, return\n"
       "  reservation 预留编号, reserve_until 预留至   for reserve, commit and release\n"
       "  bundle 联动                           rows with one number follow each other and are spent together or not "
       "at "
       "all,\n"
       "                                       before their reserve_until; numbered upwards in the file\n"
       "  scenario 场景, evidence 凭证, quantity 数量, documents 材料, facts 声明   where the programme asks for "
       "them;\n"
       "                                       documents contract+invoice, facts hardware=domestic; filing=12345\n"
       "  payee 收款方                          provider or holder, where the programme pays either\n"
       "\n"
       "The same command again goes on where a broken-off run stood; nothing is sent twice. FILE.progress keeps "
       "account, and FILE.refused\n"
       "lists the rows that rules refused, with the reasons; mended, it can be submitted itself. Its refused_item is "
       "what 'sanquan explain'\n"
       "takes, at the node, to show every number behind a refusal.\n"
       "\n"
       "  sanquan submit september.csv --node 310000 --key provider.key"),
    1};

/* ---- reading ---- */

static sq_status read_all(struct submission *u, struct sq_error *err)
{
    const struct sq_item *items;
    uint32_t count;
    sq_status st = sq_sheet_open(u->path, SQ_BATCH_COLUMNS, SQ_BATCH_COLUMN_COUNT, &u->sheet, err);
    if (st != SQ_OK)
        return st;
    struct sq_grouper *g = sq_grouper_new(u->sheet, &u->problems, (uint32_t)u->rows_a_batch);
    while ((count = sq_grouper_next(g, &items)) != 0)
        u->good += count;
    int torn = sq_grouper_is_torn(g);
    sq_grouper_free(g);
    sq_problems_end(&u->problems);
    if (torn)
        return sq_fail(
            err, SQ_E_FORMAT,
            _("rows of one bundle do not follow each other; nothing was sent, for it could be half a bundle"));
    if (u->problems.count != 0 && !u->keep_going)
        return sq_fail(
            err, SQ_E_FORMAT,
            _("%" PRIu64 " bad lines, listed above; nothing was sent. Mend them, or send the others with --keep-going"),
            u->problems.lines);
    return u->good != 0 ? SQ_OK : sq_fail(err, SQ_E_FORMAT, _("%s has no row to send"), u->path);
}

/* Rows that were read and belong to the batch after. */
struct rest {
    struct sq_grouper *grouper;
    const struct sq_item *items;
    uint32_t count;
};

static int has_room(const struct submission *u, const struct batch *b, const struct rest *r, struct sq_batch_room *room)
{
    if (b->count + r->count > u->rows_a_batch)
        return 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (!sq_batch_room_take(room, &r->items[i]))
            return 0; /* what it has taken is of no account: the batch ends here */
    return 1;
}

/* The next batch in file order. */
static struct batch *next_batch(struct submission *u, struct rest *r)
{
    struct batch *b = sq_need(calloc(1, sizeof *b));
    struct sq_batch_room room;
    sq_batch_room_begin(&room);
    b->items = sq_need(malloc(u->rows_a_batch * sizeof *b->items));
    b->order = sq_need(malloc(u->rows_a_batch * sizeof *b->order));
    for (;;) {
        if (r->count == 0 && (r->count = sq_grouper_next(r->grouper, &r->items)) == 0)
            break;
        if (!has_room(u, b, r, &room))
            break;
        memcpy(b->items + b->count, r->items, r->count * sizeof *b->items);
        b->count += r->count;
        r->count = 0;
    }
    sq_batch_room_end(&room);
    return b;
}

static void drop_batch(void *work)
{
    struct batch *b = work;
    if (b == NULL)
        return;
    free(b->items);
    free(b->order);
    free(b);
}

/* ---- result files ---- */

static sq_status open_result(struct result_file *r, const char *input, const char *suffix, uint64_t keep,
                             struct sq_error *err)
{
    if (asprintf(&r->path, "%s.%s", input, suffix) < 0)
        r->path = sq_need(NULL);
    r->file = fopen(r->path, "ae");
    if (r->file == NULL)
        return sq_fail(err, SQ_E_IO, "open %s: %s", r->path, strerror(errno));
    off_t size = lseek(fileno(r->file), 0, SEEK_END);
    if (size < 0 || ((uint64_t)size > keep &&
                     (ftruncate(fileno(r->file), (off_t)keep) != 0 || lseek(fileno(r->file), 0, SEEK_END) < 0)))
        return sq_fail(err, SQ_E_IO, "cut %s: %s", r->path, strerror(errno));
    return SQ_OK;
}

static sq_status flush_result(struct result_file *r, uint64_t *mark, struct sq_error *err)
{
    if (fflush(r->file) != 0 || fdatasync(fileno(r->file)) != 0)
        return sq_fail(err, SQ_E_IO, "write %s: %s", r->path, strerror(errno));
    *mark = (uint64_t)lseek(fileno(r->file), 0, SEEK_END);
    return SQ_OK;
}

/* As the input is, so are its refused rows: CSV under the same header, or JSON lines. seq and row: what `sanquan explain` wants to know. */
static void put_refused(const struct submission *u, const struct sq_item *item, unsigned code, uint64_t seq,
                        uint32_t row)
{
    FILE *f = u->refused.file;
    const uint8_t *raw = item->raw.data;
    size_t size = item->raw.size;
    const char *reason = _(sq_status_text(code));
    if (sq_sheet_is_json(u->sheet)) {
        const uint8_t *brace = memchr(raw, '{', size);
        json_t *why = sq_need(json_string(reason));
        char *quoted = sq_need(json_dumps(why, JSON_ENCODE_ANY));
        fprintf(f,
                "{\"refused_line\":%" PRIu64
                ",\"refused_status\":\"%s\",\"refused_reason\":%s,\"refused_item\":\"%" PRIu64 ".%u\",",
                item->line, sq_status_name(code), quoted, seq, row);
        fwrite(brace + 1, 1, size - (size_t)(brace + 1 - raw), f);
        free(quoted);
        json_decref(why);
    } else {
        fprintf(f, "%" PRIu64 ",%s,", item->line, sq_status_name(code));
        sq_sheet_quote(f, reason);
        fprintf(f, ",%" PRIu64 ".%u,", seq, row);
        fwrite(raw, 1, size, f);
    }
    fputc('\n', f);
}

static void put_refused_header(const struct submission *u)
{
    sq_bytes header = sq_sheet_header(u->sheet);
    if (header.size == 0 || ftell(u->refused.file) != 0)
        return;
    fputs("refused_line,refused_status,refused_reason,refused_item,", u->refused.file);
    fwrite(header.data, 1, header.size, u->refused.file);
    fputc('\n', u->refused.file);
}

static void put_receipt(const struct submission *u, uint64_t n, const struct batch *b, const struct sq_client_answer *a)
{
    char *hex = sq_need(malloc(2 * a->envelope.size + 1));
    sq_hex(a->envelope.data, a->envelope.size, hex);
    fprintf(u->receipts.file,
            "{\"batch\":%" PRIu64 ",\"first_line\":%" PRIu64 ",\"rows\":%u,\"id\":%" PRIu64 ",\"seq\":%" PRIu64
            ",\"leaf_index\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"amount_fen\":%" PRId64 ",\"envelope\":\"%s\"}\n",
            n, b->items[0].line, b->count, a->id, a->answer->seq, a->receipt->index, a->answer->count,
            a->answer->amount_fen, hex);
    free(hex);
}

/* ---- answers ---- */

static sq_status note_rows(struct submission *u, const struct batch *b, const struct sq_client_answer *a,
                           struct sq_chunk *record, struct sq_error *err)
{
    const ProtobufCBinaryData *code = &a->answer->code;
    uint64_t refused = 0;
    if (code->len != 0 && code->len != b->count)
        return sq_fail(err, SQ_E_VERIFY, _("the answer to %u rows speaks of %zu"), b->count, code->len);
    uint32_t *row =
        sq_need(malloc((b->count + 1) * sizeof *row)); /* of each item: in file order bundles stay together */
    for (uint32_t i = 0; i < b->count; i++)
        row[b->order[i]] = i;
    for (uint32_t k = 0; k < code->len; k++) {
        const uint8_t refusal = code->data[row[k]];
        if (refusal == 0)
            continue;
        if (u->refused.file == NULL) {
            free(row);
            return sq_fail(err, SQ_E_IO, "no file for refused rows");
        }
        if (refused++ == 0)
            put_refused_header(u);
        record->refused[refusal]++;
        put_refused(u, &b->items[k], refusal, a->answer->seq, row[k]);
    }
    free(row);
    if (a->answer->count != b->count - refused)
        return sq_fail(err, SQ_E_VERIFY, _("the answer counts %" PRIu64 " accepted rows and lists %" PRIu64),
                       a->answer->count, b->count - refused);
    return SQ_OK;
}

static sq_status on_answer(void *ctx, uint64_t n, void *work, const struct sq_client_answer *a, struct sq_chunk *record,
                           struct sq_error *err)
{
    struct submission *u = ctx;
    struct batch *b = work;
    record->seq = a->answer->seq;
    record->accepted = a->answer->count;
    record->amount_fen = a->answer->amount_fen;
    sq_progress_marks(u->progress, record->marks);
    sq_status st = note_rows(u, b, a, record, err);
    if (st == SQ_OK)
        st = flush_result(&u->refused, &record->marks[MARK_REFUSED], err);
    if (st == SQ_OK && u->want_receipts) {
        put_receipt(u, n, b, a);
        st = flush_result(&u->receipts, &record->marks[MARK_RECEIPTS], err);
    }
    sq_bar_at(&u->bar, u->bar.done + b->count);
    drop_batch(b);
    return st;
}

/* ---- sending ---- */

static sq_status open_progress(struct submission *u, struct sq_error *err)
{
    char how[64];
    uint64_t marks[SQ_PROGRESS_MARKS];
    snprintf(how, sizeof how, "batch-rows=%" PRIu64 "%s", u->rows_a_batch,
             u->keep_going && u->problems.count != 0 ? " keep-going" : "");
    struct sq_progress_head head = {.command = "submit",
                                    .node = u->session.node->code,
                                    .sender = u->session.keys->name,
                                    .options = how,
                                    .network_id = sq_directory_network_id(u->session.directory),
                                    .input_hash = sq_sheet_hash(u->sheet)};
    sq_status st = sq_progress_open(u->path, &head, &u->progress, err);
    if (st != SQ_OK)
        return st;
    u->was_done = sq_progress_ended(u->progress);
    u->went_on = sq_progress_chunks(u->progress) != 0;
    sq_progress_marks(u->progress, marks);
    if (!u->was_done)
        st = open_result(&u->refused, u->path, "refused", marks[MARK_REFUSED], err);
    if (st == SQ_OK && !u->was_done && u->want_receipts)
        st = open_result(&u->receipts, u->path, "receipts", marks[MARK_RECEIPTS], err);
    return st;
}

static sq_status send_batch(struct submission *u, uint64_t n, struct batch *b, struct sq_error *err)
{
    uint8_t *body;
    size_t size;
    const struct sq_chunk *known = sq_progress_chunk(u->progress, n);
    if (known != NULL && known->state == SQ_CHUNK_ANSWERED) {
        sq_bar_at(&u->bar, u->bar.done + b->count);
        drop_batch(b);
        return SQ_OK;
    }
    sq_batch_pack(b->items, b->count, b->order, &body, &size);
    return sq_sending_put(&u->sending, n, b->items[0].line, b->count, 0, body, size, b, err);
}

static sq_status send_all(struct submission *u, struct sq_error *err)
{
    struct rest rest = {.count = 0};
    sq_status st = SQ_OK;
    u->sending = (struct sq_sending){.session = &u->session,
                                     .progress = u->progress,
                                     .type = SANQUAN__V1__MESSAGE_TYPE__BATCH,
                                     .answered = on_answer,
                                     .drop = drop_batch,
                                     .ctx = u};
    sq_sheet_rewind(u->sheet);
    rest.grouper = sq_grouper_new(u->sheet, NULL, (uint32_t)u->rows_a_batch); /* what is wrong has been said */
    sq_bar_begin(&u->bar, u->cli, _("submitting"), u->good);
    for (uint64_t n = 0; st == SQ_OK; n++) {
        struct batch *b = next_batch(u, &rest);
        if (b->count == 0) {
            drop_batch(b);
            break;
        }
        st = send_batch(u, n, b, err);
    }
    sq_grouper_free(rest.grouper);
    if (st == SQ_OK)
        st = sq_sending_finish(&u->sending, err);
    sq_bar_end(&u->bar);
    sq_sending_close(&u->sending);
    return st == SQ_OK ? sq_progress_end(u->progress, err) : st;
}

static sq_status submit(struct submission *u, struct sq_error *err)
{
    sq_status st = read_all(u, err);
    if (st == SQ_OK)
        st = sq_session_open(u->cli, SQ_SENDING_MAX, &u->session, err);
    if (st == SQ_OK)
        st = open_progress(u, err);
    if (st == SQ_OK && !u->was_done)
        st = send_all(u, err);
    return st;
}

/* ---- what came of it ---- */

struct summary {
    uint64_t batches, rows, accepted, refused[256], refused_rows;
    int64_t amount_fen;
};

static struct summary sum_up(const struct sq_progress *p)
{
    struct summary s = {0};
    for (uint64_t n = 0; n < sq_progress_chunks(p); n++) {
        const struct sq_chunk *c = sq_progress_chunk(p, n);
        if (c->state != SQ_CHUNK_ANSWERED)
            continue;
        s.batches++;
        s.rows += c->rows;
        s.accepted += c->accepted;
        s.amount_fen += c->amount_fen;
        for (unsigned i = 0; i < 256; i++) {
            s.refused[i] += c->refused[i];
            s.refused_rows += c->refused[i];
        }
    }
    return s;
}

static void print_reasons(const struct summary *s)
{
    const char *headers[] = {_("rows"), _("code"), _("refused because")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    sq_grid_begin(&g, "rrl", headers);
    for (unsigned i = 0; i < 256; i++)
        if (s->refused[i] != 0) {
            sq_grid_put(&g, "%s", sq_text_count(s->refused[i], text));
            sq_grid_put(&g, "%u", i);
            sq_grid_put(&g, "%s", _(sq_status_text(i)));
        }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_summary(const struct submission *u, const struct summary *s)
{
    char rows[SQ_TEXT_SIZE], accepted[SQ_TEXT_SIZE], refused[SQ_TEXT_SIZE], money[SQ_TEXT_SIZE];
    if (u->was_done)
        printf(_("%s was submitted before; nothing was sent now. What came of it:\n"), u->path);
    printf(_("%s rows in %" PRIu64 " batches: %s accepted (%s), %s refused\n"), sq_text_count(s->rows, rows),
           s->batches, sq_text_count(s->accepted, accepted), sq_text_money(s->amount_fen, money),
           sq_text_count(s->refused_rows, refused));
    if (s->refused_rows != 0) {
        print_reasons(s);
        printf(_("They are listed in %s.refused. For the numbers behind a refusal: sanquan explain ITEM, with its "
                 "refused_item, at the node's ledger\n"),
               u->path);
    }
    if (u->problems.lines != 0)
        printf(_("%" PRIu64 " bad lines of the file were not sent\n"), u->problems.lines);
    if (u->want_receipts)
        printf(_("Receipts are in %s.receipts\n"), u->path);
}

static void print_json(const struct submission *u, const struct summary *s)
{
    json_t *refused = json_object();
    for (unsigned i = 0; i < 256; i++)
        if (s->refused[i] != 0)
            json_object_set_new(refused, sq_status_name(i), json_integer((json_int_t)s->refused[i]));
    sq_cli_json(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:O}", "file", u->path, "sent_before",
                          u->was_done, "batches", (json_int_t)s->batches, "rows", (json_int_t)s->rows, "accepted",
                          (json_int_t)s->accepted, "amount_fen", (json_int_t)s->amount_fen, "refused_rows",
                          (json_int_t)s->refused_rows, "refused", refused, "bad_lines", (json_int_t)u->problems.lines,
                          "problems", u->problems.list));
}

static int report(struct submission *u, sq_status st, const struct sq_error *err)
{
    if (st != SQ_OK && u->progress != NULL && sq_progress_chunks(u->progress) != 0)
        sq_cli_note(u->cli, _("Not everything has an answer yet; the same command again goes on from here."));
    if (st != SQ_OK)
        return sq_cli_fail_about(u->cli, err, u->problems.count != 0 ? u->problems.list : NULL);
    struct summary s = sum_up(u->progress);
    if (u->cli->json)
        print_json(u, &s);
    else
        print_summary(u, &s);
    return s.refused_rows != 0 || u->problems.lines != 0 ? SQ_EXIT_REFUSED : SQ_EXIT_DONE;
}

static void close_result(struct result_file *r)
{
    if (r->file != NULL) {
        if (ftell(r->file) == 0)
            unlink(r->path);
        fclose(r->file);
    }
    free(r->path);
}

int sq_cmd_submit(struct sq_cli *cli, int argc, char **argv)
{
    struct submission *u = sq_need(calloc(1, sizeof *u));
    struct sq_error err = {0};
    u->cli = cli;
    u->rows_a_batch = SQ_BATCH_ROWS_MAX;
    u->session.key_lock = -1;
    int code = sq_cli_parse(cli, &args, argc, argv, u);
    if (code == SQ_PARSED) {
        sq_problems_begin(&u->problems, cli, u->path);
        sq_status st = submit(u, &err);
        code = report(u, st, &err);
        json_decref(u->problems.list);
    }
    close_result(&u->refused);
    close_result(&u->receipts);
    sq_progress_close(u->progress);
    sq_session_close(&u->session);
    sq_sheet_close(u->sheet);
    free(u);
    return code;
}
