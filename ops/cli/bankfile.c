#include "ops/cli/bankfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/cli/sheet.h"
#include "peers/yaml.h"

/* ---- participants ---- */

enum { COL_CODE, COL_NAME, COL_ACCOUNT, COL_BIC, COLUMNS };
static const struct sq_column columns[COLUMNS] = {
    [COL_CODE] = {"code", "代码", 1},
    [COL_NAME] = {"name", "名称", 1},
    [COL_ACCOUNT] = {"account", "账号", 0},
    [COL_BIC] = {"bic", "银行识别码", 0},
};

static const char *keep(const char *text)
{
    return *text != '\0' ? sq_need(strdup(text)) : NULL;
}

static void read_party(struct sq_bank_parties *p, struct sq_cells *c)
{
    const char *const *cell = c->row->cell;
    int hub = strcmp(cell[COL_CODE], "hub") == 0;
    if (!hub && (strlen(cell[COL_CODE]) != 6 || strspn(cell[COL_CODE], "0123456789") != 6))
        sq_cells_wrong(c, COL_CODE, _("a node's six-digit code, or hub, goes here"));
    if (*cell[COL_NAME] == '\0' || strlen(cell[COL_NAME]) > 140)
        sq_cells_wrong(c, COL_NAME, _("a name of 1 to %u bytes goes here"), 140u);
    if (*cell[COL_ACCOUNT] != '\0' && !sq_iso_account_ok(cell[COL_ACCOUNT]))
        sq_cells_wrong(c, COL_ACCOUNT, _("an account number has 1 to 34 digits, letters and hyphens"));
    if (*cell[COL_BIC] != '\0' && !sq_iso_bic_ok(cell[COL_BIC]))
        sq_cells_wrong(c, COL_BIC, _("a BIC has 8 or 11 capital letters and digits, with letters at 5 and 6"));
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->rows[i].code, cell[COL_CODE]) == 0)
            sq_cells_wrong(c, COL_CODE, _("it stands in the file twice"));
    if (c->bad)
        return;
    p->rows = sq_need(realloc(p->rows, (p->count + 1) * sizeof *p->rows));
    struct sq_iso_party *row = &p->rows[p->count++];
    memset(row, 0, sizeof *row);
    snprintf(row->code, sizeof row->code, "%s", cell[COL_CODE]);
    row->name = keep(cell[COL_NAME]);
    row->account = keep(cell[COL_ACCOUNT]);
    row->bic = keep(cell[COL_BIC]);
}

sq_status sq_bank_parties_read(const struct sq_cli *cli, const char *path, struct sq_bank_parties *out,
                               struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_problems problems;
    struct sq_row row;
    struct sq_cells cells;
    *out = (struct sq_bank_parties){0};
    sq_status st = sq_sheet_open(path, columns, COLUMNS, &sheet, err);
    if (st != SQ_OK)
        return st;
    sq_problems_begin(&problems, cli, path);
    while (sq_sheet_next(sheet, &row))
        if (sq_cells_begin(&cells, sheet, &row, &problems))
            read_party(out, &cells);
    sq_problems_end(&problems);
    if (problems.count != 0)
        st = sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was written"), problems.count);
    json_decref(problems.list);
    sq_sheet_close(sheet);
    return st;
}

static void drop(const char *text)
{
    union {
        const char *in;
        char *out;
    } t = {text}; /* kept by keep() */
    free(t.out);
}

void sq_bank_parties_free(struct sq_bank_parties *p)
{
    for (size_t i = 0; i < p->count; i++) {
        drop(p->rows[i].name);
        drop(p->rows[i].account);
        drop(p->rows[i].bic);
    }
    free(p->rows);
    *p = (struct sq_bank_parties){0};
}

/* ---- payments ---- */

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static void add(struct sq_iso_payment *out, size_t *count, const json_t *p, int loss)
{
    if (json_is_true(json_object_get(p, "defaulted")))
        return;
    struct sq_iso_payment *to = &out[(*count)++];
    memset(to, 0, sizeof *to);
    to->kind = (uint32_t)json_integer_value(json_object_get(p, "kind"));
    snprintf(to->payer, sizeof to->payer, "%s", text_of(p, "payer"));
    snprintf(to->payee, sizeof to->payee, "%s", text_of(p, "payee"));
    to->amount_fen = json_integer_value(json_object_get(p, "amount_fen"));
    to->loss = loss;
}

struct sq_iso_payment *sq_bank_payments(const json_t *window, size_t *count)
{
    const json_t *payments = json_object_get(window, "payments"), *losses = json_object_get(window, "losses");
    struct sq_iso_payment *out =
        sq_need(malloc((json_array_size(payments) + json_array_size(losses) + 1) * sizeof *out));
    size_t i;
    json_t *p;
    *count = 0;
    json_array_foreach(payments, i, p) add(out, count, p, 0);
    json_array_foreach(losses, i, p) add(out, count, p, 1);
    return out;
}

/* ---- what the bank says ---- */

int sq_bank_is_xml(const char *path)
{
    FILE *f = fopen(path, "re");
    int c = ' ';
    while (f != NULL && (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0xef || c == 0xbb ||
                         c == 0xbf)) /* space, byte order mark */
        c = getc(f);
    if (f != NULL)
        fclose(f);
    return c == '<';
}

sq_status sq_bank_read_told(const struct sq_cli *cli, const char *path, uint64_t window, const char *code, json_t *list,
                            struct sq_error *err)
{
    struct sq_iso_told told = {0};
    uint8_t *data;
    size_t size;
    sq_status st = sq_file_read_large(path, SQ_XML_SIZE_MAX >> 20, &data, &size, err);
    if (st != SQ_OK)
        return st;
    st = sq_iso_camt054(sq_bytes_of(data, size), path, window, code, &told, err);
    free(data);
    if (st != SQ_OK)
        return st;
    if (told.others != 0 || told.pending != 0)
        sq_cli_note(cli,
                    _("%s: %zu entries are not of window %" PRIu64 ", %zu are not booked yet; they were passed over"),
                    path, told.others, window, told.pending);
    for (size_t i = 0; i < told.count; i++) {
        const struct sq_iso_payment *p = &told.payments[i];
        json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:I}", "kind", (int)p->kind, "payer", p->payer, "payee",
                                              p->payee, "amount_fen", (json_int_t)p->amount_fen));
    }
    if (told.count == 0)
        st = sq_fail(err, SQ_E_FORMAT, _("%s holds no booked payment of window %" PRIu64 "; nothing was sent"), path,
                     window);
    sq_iso_told_free(&told);
    return st;
}

/* ---- writing ---- */

static sq_status write_error(const char *path, struct sq_error *err)
{
    return sq_fail(err, SQ_E_IO, "%s: %s", path, strerror(errno));
}

sq_status sq_bank_write(const char *path, const void *bytes, size_t size, struct sq_error *err)
{
    char beside[4096];
    if (path == NULL)
        return fwrite(bytes, 1, size, stdout) == size ? SQ_OK : write_error(_("standard output"), err);
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside)
        return sq_fail(err, SQ_E_IO, "%.100s: %s", path, strerror(ENAMETOOLONG));
    FILE *f = fopen(beside, "we");
    if (f == NULL)
        return write_error(beside, err);
    int good = fwrite(bytes, 1, size, f) == size && fflush(f) == 0 && fsync(fileno(f)) == 0;
    sq_status st = good ? SQ_OK : write_error(beside, err);
    if (fclose(f) != 0 && st == SQ_OK)
        st = write_error(beside, err);
    if (st == SQ_OK && rename(beside, path) != 0)
        st = write_error(path, err);
    if (st != SQ_OK)
        unlink(beside);
    return st;
}
