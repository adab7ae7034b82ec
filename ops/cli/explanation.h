/* A decision's reasons (clearing/policy/explain.h) as people and programs read them: for `explain` and `programme try`. */
#ifndef SQ_EXPLANATION_H
#define SQ_EXPLANATION_H

#include <jansson.h>

#include "clearing/policy/explain.h"

/* What was decided, the rule that decided, and a table of all rules that were looked at with their numbers; to standard output. */
void sq_explanation_print(const struct sq_explain *x);

/* The same as an object; amounts are fen. A new reference. "payable_fen" is null where the rules were not reached. */
json_t *sq_explanation_json(const struct sq_explain *x);

/* A rule's name, translated: "yearly cap of the holder" for SQ_R_CAP_YEAR; the text of its refusal where it has no name. */
const char *sq_explanation_rule(unsigned status);

#endif
