#include "clearing/policy/explain.h"

void sq_explain_add(struct sq_verdict *v, const struct sq_reason *r)
{
    struct sq_explain *x = v->x;
    if (!r->passed && v->status == 0)
        v->status = r->status;
    if (r->is_amount && r->unit == 1 && r->passed != 2 && r->left < x->payable_fen)
        x->payable_fen = r->left > 0 ? r->left : 0;
    if (x->count < SQ_REASONS_MAX)
        x->reason[x->count++] = *r;
    x->status = v->status;
}
