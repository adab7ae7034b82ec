#include "ops/cli/voucher_row.h"

#include <string.h>

#include "ops/cli/cli.h"

#define FACE_MAX_FEN 10000000000000ll    /* what a node takes: 100 billion yuan */
#define QUOTA_MAX    1000000000000000ull /* the same */

enum {
    HOLDER,
    FACE_FEN,
    FACE_YUAN,
    UNTIL,
    SELLER,
    CONTRACT,
    CONTRACT_FEN,
    CONTRACT_YUAN,
    APPROVED_FEN,
    APPROVED_YUAN,
    CONTRACT_DAY,
    CONTRACT_FROM,
    CONTRACT_UNTIL,
    QUOTA,
    DOCUMENTS,
    FACTS,
    COLUMNS
};
const struct sq_column SQ_VOUCHER_COLUMNS[] = {
    [HOLDER] = {"holder", "持券方", 1},
    [FACE_FEN] = {"face_fen", "面额分", 0},
    [FACE_YUAN] = {"face_yuan", "面额元", 0},
    [UNTIL] = {"until_day", "有效期至", 1},
    [SELLER] = {"seller", "供应方", 0},
    [CONTRACT] = {"contract", "合同编号", 0},
    [CONTRACT_FEN] = {"contract_fen", "合同金额分", 0},
    [CONTRACT_YUAN] = {"contract_yuan", "合同金额元", 0},
    [APPROVED_FEN] = {"approved_fen", "核定金额分", 0},
    [APPROVED_YUAN] = {"approved_yuan", "核定金额元", 0},
    [CONTRACT_DAY] = {"contract_day", "签订日期", 0},
    [CONTRACT_FROM] = {"contract_from_day", "合同起始日", 0},
    [CONTRACT_UNTIL] = {"contract_until_day", "合同截止日", 0},
    [QUOTA] = {"quota", "配额", 0},
    [DOCUMENTS] = {"documents", "材料", 0},
    [FACTS] = {"facts", "声明", 0},
};
const unsigned SQ_VOUCHER_COLUMN_COUNT = COLUMNS;
_Static_assert(COLUMNS <= SQ_SHEET_COLUMNS_MAX, "a sheet has room for them");

void sq_voucher_columns(struct sq_column *out, int whole)
{
    memcpy(out, SQ_VOUCHER_COLUMNS, sizeof SQ_VOUCHER_COLUMNS);
    out[UNTIL].needed = whole;
}

static uint32_t optional_day(struct sq_cells *c, unsigned column)
{
    return *c->row->cell[column] == '\0' ? 0 : sq_cell_day(c, column);
}

static void read_contract(struct sq_cells *c, struct sq_voucher_row *v)
{
    const char *number = c->row->cell[CONTRACT];
    if (*number == '\0' && *c->row->cell[SELLER] == '\0')
        return;
    const char *seller = sq_cell_uscc(c, SELLER);
    if (*number == '\0')
        sq_cells_wrong(c, CONTRACT, _("a seller is given: then the contract's number goes here"));
    sq_contract_mark(seller, number, v->contract);
}

void sq_voucher_read(struct sq_cells *c, int whole, struct sq_voucher_row *out, struct sq_declared_facts *facts)
{
    struct sq_voucher_row v = {.face_fen = 0};
    strncat(v.holder, sq_cell_uscc(c, HOLDER), sizeof v.holder - 1);
    v.face_fen = sq_cell_money(c, FACE_FEN, FACE_YUAN, whole, FACE_MAX_FEN, 0);
    v.until_day = whole ? sq_cell_day(c, UNTIL) : optional_day(c, UNTIL);
    read_contract(c, &v);
    v.contract_fen = sq_cell_money(c, CONTRACT_FEN, CONTRACT_YUAN, 0, FACE_MAX_FEN, 0);
    v.approved_fen = sq_cell_money(c, APPROVED_FEN, APPROVED_YUAN, 0, FACE_MAX_FEN, 0);
    v.contract_day = optional_day(c, CONTRACT_DAY);
    v.contract_from_day = optional_day(c, CONTRACT_FROM);
    v.contract_until_day = optional_day(c, CONTRACT_UNTIL);
    if ((v.contract_from_day == 0) != (v.contract_until_day == 0) || v.contract_from_day > v.contract_until_day)
        sq_cells_wrong(c, CONTRACT_UNTIL, _("a contract's first and last day go together, in this order"));
    v.quota = (int64_t)sq_cell_number(c, QUOTA, 0, QUOTA_MAX, 0);
    v.documents = sq_cell_documents(c, DOCUMENTS);
    sq_cell_facts(c, FACTS, facts);
    *out = v;
}
