/* Which keys a programme file has, which of them it must have, and how many rows a list may have: what libcyaml holds a file against. */
#include "ops/common/programme_file.h"

#define TEXT_MAX           400
#define NEEDED(type, name) CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER, type, name, 1, TEXT_MAX)
#define MAY(type, name)    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, name, 1, TEXT_MAX)
#define MANY(type, name, schema, max)                                                                                  \
    CYAML_FIELD_SEQUENCE(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, name, schema, 1, max)

static const cyaml_schema_value_t word_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_MAX)};
static const cyaml_schema_field_t condition_fields[] = {
    NEEDED(struct sq_file_condition, of),
    NEEDED(struct sq_file_condition, what),
    MANY(struct sq_file_condition, in, &word_schema, 256),
    MANY(struct sq_file_condition, not_in, &word_schema, 256),
    MAY(struct sq_file_condition, known_of),
    MAY(struct sq_file_condition, at),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t condition_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sq_file_condition, condition_fields)};
static const cyaml_schema_field_t tier_fields[] = {
    MAY(struct sq_file_tier, rate),
    MAY(struct sq_file_tier, lump),
    MAY(struct sq_file_tier, cap_claim),
    MANY(struct sq_file_tier, when, &condition_schema, 64),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t tier_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sq_file_tier, tier_fields)};
static const cyaml_schema_field_t limit_fields[] = {
    MAY(struct sq_file_limit, id),
    NEEDED(struct sq_file_limit, scope),
    NEEDED(struct sq_file_limit, of),
    MAY(struct sq_file_limit, counts),
    MAY(struct sq_file_limit, period),
    MAY(struct sq_file_limit, soft),
    MAY(struct sq_file_limit, hard),
    MANY(struct sq_file_limit, when, &condition_schema, 64),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t limit_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sq_file_limit, limit_fields)};
static const cyaml_schema_field_t relation_fields[] = {
    NEEDED(struct sq_file_relation, programme), NEEDED(struct sq_file_relation, together),
    MAY(struct sq_file_relation, state),        MAY(struct sq_file_relation, scope),
    MAY(struct sq_file_relation, limit),        CYAML_FIELD_END,
};
static const cyaml_schema_value_t relation_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sq_file_relation, relation_fields)};
static const cyaml_schema_field_t funder_fields[] = {
    NEEDED(struct sq_file_funder, code),
    NEEDED(struct sq_file_funder, share),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t funder_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sq_file_funder, funder_fields)};
static const cyaml_schema_field_t stage_fields[] = {
    NEEDED(struct sq_file_stage, share),
    MAY(struct sq_file_stage, trigger),
    MAY(struct sq_file_stage, metric),
    MAY(struct sq_file_stage, better),
    MAY(struct sq_file_stage, change),
    MAY(struct sq_file_stage, after_months),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t stage_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sq_file_stage, stage_fields)};
static const cyaml_schema_field_t verdict_fields[] = {
    NEEDED(struct sq_file_verdict, grade),
    NEEDED(struct sq_file_verdict, action),
    MAY(struct sq_file_verdict, back),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t verdict_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sq_file_verdict, verdict_fields)};
static const cyaml_schema_field_t window_fields[] = {
    NEEDED(struct sq_file_window, step), NEEDED(struct sq_file_window, from),      NEEDED(struct sq_file_window, until),
    MAY(struct sq_file_window, closes),  MAY(struct sq_file_window, every_months), CYAML_FIELD_END,
};
static const cyaml_schema_value_t window_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sq_file_window, window_fields)};
static const cyaml_schema_field_t file_fields[] = {
    NEEDED(struct sq_programme_file, issuer),
    NEEDED(struct sq_programme_file, number),
    NEEDED(struct sq_programme_file, version),
    NEEDED(struct sq_programme_file, kind),
    NEEDED(struct sq_programme_file, title),
    NEEDED(struct sq_programme_file, from),
    MAY(struct sq_programme_file, until),
    MAY(struct sq_programme_file, rate),
    NEEDED(struct sq_programme_file, base),
    MAY(struct sq_programme_file, pool),
    MAY(struct sq_programme_file, cap_claim),
    MAY(struct sq_programme_file, cap_year),
    MAY(struct sq_programme_file, cap_total),
    MAY(struct sq_programme_file, min_claim),
    MANY(struct sq_programme_file, services, &word_schema, 64),
    MANY(struct sq_programme_file, provider_regions, &word_schema, 40),
    MAY(struct sq_programme_file, stacking),
    MAY(struct sq_programme_file, stack_limit),
    MANY(struct sq_programme_file, conditions, &condition_schema, 64),
    MANY(struct sq_programme_file, tiers, &tier_schema, 32),
    MAY(struct sq_programme_file, tier_choice),
    MANY(struct sq_programme_file, windows, &window_schema, 16),
    MAY(struct sq_programme_file, validity_days),
    MAY(struct sq_programme_file, support_months),
    MANY(struct sq_programme_file, grant_documents, &word_schema, 32),
    MANY(struct sq_programme_file, redeem_documents, &word_schema, 32),
    MAY(struct sq_programme_file, sanction_months),
    MANY(struct sq_programme_file, sanction_causes, &word_schema, 32),
    MAY(struct sq_programme_file, related_hops),
    MANY(struct sq_programme_file, limits, &limit_schema, 32),
    MANY(struct sq_programme_file, relations, &relation_schema, 16),
    MAY(struct sq_programme_file, unit),
    MAY(struct sq_programme_file, unit_price),
    MAY(struct sq_programme_file, unit_size),
    MAY(struct sq_programme_file, unique_contract),
    MAY(struct sq_programme_file, unique_service),
    MAY(struct sq_programme_file, recognition),
    MAY(struct sq_programme_file, pool_at),
    MANY(struct sq_programme_file, waivable, &word_schema, 16),
    MAY(struct sq_programme_file, payee),
    MAY(struct sq_programme_file, allocation),
    MAY(struct sq_programme_file, rivals),
    MAY(struct sq_programme_file, auto_face),
    MANY(struct sq_programme_file, funders, &funder_schema, 8),
    MANY(struct sq_programme_file, stages, &stage_schema, 8),
    MANY(struct sq_programme_file, verdicts, &verdict_schema, 16),
    MAY(struct sq_programme_file, evaluators),
    CYAML_FIELD_END,
};
const cyaml_schema_value_t sq_programme_file_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct sq_programme_file, file_fields)};
