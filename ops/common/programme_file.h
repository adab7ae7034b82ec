/*
 * A programme file as it is parsed: what programme_yaml.h documents, every value still text as its author wrote it; NULL, or a count of 0: left out.
 */
#ifndef SQ_PROGRAMME_FILE_H
#define SQ_PROGRAMME_FILE_H

#include <cyaml/cyaml.h>

struct sq_file_condition {
    char *of, *what, *known_of, *at;
    char **in, **not_in;
    unsigned in_count, not_in_count;
};

struct sq_file_tier {
    char *rate, *lump, *cap_claim;
    struct sq_file_condition *when;
    unsigned when_count;
};

struct sq_file_limit {
    char *id, *scope, *of, *counts, *period, *soft, *hard;
    struct sq_file_condition *when;
    unsigned when_count;
};

struct sq_file_funder {
    char *code, *share;
};

struct sq_file_stage {
    char *share, *trigger, *metric, *better, *change, *after_months;
};

struct sq_file_verdict {
    char *grade, *action, *back;
};

struct sq_file_relation {
    char *programme, *together, *state, *scope, *limit;
};

struct sq_file_window {
    char *step, *from, *until, *closes, *every_months;
};

struct sq_programme_file {
    char *issuer, *number, *version, *kind, *title, *from, *until, *rate, *base;
    char *pool, *cap_claim, *cap_year, *cap_total, *min_claim, *stacking, *stack_limit;
    char *tier_choice, *validity_days, *support_months, *sanction_months, *related_hops;
    char *unit, *unit_price, *unit_size, *unique_contract, *unique_service, *pool_at, *recognition;
    char *payee, *allocation, *rivals, *auto_face;
    char *evaluators;
    struct sq_file_funder *funders;
    struct sq_file_stage *stages;
    struct sq_file_verdict *verdicts;
    unsigned funders_count, stages_count, verdicts_count;
    char **services, **provider_regions, **grant_documents, **redeem_documents, **sanction_causes, **waivable;
    unsigned services_count, provider_regions_count, grant_documents_count, redeem_documents_count,
        sanction_causes_count, waivable_count;
    struct sq_file_condition *conditions;
    struct sq_file_tier *tiers;
    struct sq_file_limit *limits;
    struct sq_file_relation *relations;
    struct sq_file_window *windows;
    unsigned conditions_count, tiers_count, limits_count, relations_count, windows_count;
};

/* For sq_yaml_parse: makes a struct sq_programme_file. */
extern const cyaml_schema_value_t sq_programme_file_schema;

#endif
