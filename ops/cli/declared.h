/*
 * What a row says beyond its amounts: documents that are there, and facts ("hardware=domestic; filing=12345"), by the names that
 * programme files use for them.
 */
#ifndef SQ_DECLARED_H
#define SQ_DECLARED_H

#include "ops/cli/sheet.h"
#include "proto/sanquan.pb-c.h"

#define SQ_FACTS_A_ROW 16u

struct sq_declared_facts {
    uint32_t count, attribute[SQ_FACTS_A_ROW]; /* ascending */
    int64_t value[SQ_FACTS_A_ROW];
};

/* The same of a text by itself. 0 when it is not in form. */
int sq_read_documents(const char *text, uint32_t *documents);
int sq_read_facts(const char *text, struct sq_declared_facts *out);

/* "contract+invoice", by name or number: bit n - 1 for the document of kind n. Empty: none. */
uint32_t sq_cell_documents(struct sq_cells *c, unsigned column);
/* "attribute=value", several with ; between them. Empty: none. */
void sq_cell_facts(struct sq_cells *c, unsigned column, struct sq_declared_facts *out);

/* The different sets of facts in one message, as rows name them: by index + 1, 0 for none. */
struct sq_fact_table {
    struct sq_declared_facts *sets;
    uint32_t count, most;
    Sanquan__V1__FactSet *message, **list; /* filled by sq_fact_table_list */
};

void sq_fact_table_begin(struct sq_fact_table *t, uint32_t most);
/* 1 and the number (0 for NULL and for an empty set); 0 when a new set does not fit. */
int sq_fact_table_add(struct sq_fact_table *t, const struct sq_declared_facts *facts, uint32_t *number);
Sanquan__V1__FactSet **sq_fact_table_list(struct sq_fact_table *t); /* lives as long as the table */
void sq_fact_table_end(struct sq_fact_table *t);

#endif
