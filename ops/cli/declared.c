#include "ops/cli/declared.h"

#include <stdlib.h>
#include <string.h>

#include "ops/common/programme_values.h"

#define WORD_SIZE 64

/* The next word up to one of `ends`, without spaces around it; 0 at the end of the text. -1: too long. */
static int next_word(const char **text, const char *ends, char out[static WORD_SIZE])
{
    const char *at = *text + strspn(*text, " ");
    size_t size = strcspn(at, ends);
    if (*at == '\0')
        return 0;
    *text = at + size + (at[size] != '\0');
    while (size > 0 && at[size - 1] == ' ')
        size--;
    if (size >= WORD_SIZE)
        return -1;
    memcpy(out, at, size);
    out[size] = '\0';
    return 1;
}

int sq_read_documents(const char *text, uint32_t *documents)
{
    char word[WORD_SIZE];
    *documents = 0;
    for (int more; (more = next_word(&text, "+;", word)) != 0;) {
        uint32_t kind = more > 0 ? sq_word_number(sq_words_document, word) : 0;
        if (kind < 1 || kind > 32)
            return 0;
        *documents |= 1u << (kind - 1);
    }
    return 1;
}

uint32_t sq_cell_documents(struct sq_cells *c, unsigned column)
{
    uint32_t documents;
    if (sq_read_documents(c->row->cell[column], &documents))
        return documents;
    sq_cells_wrong(c, column, _("documents are named as in programme files, with + between them: contract+invoice"));
    return 0;
}

/* Into its place among ascending attributes; 0 when it is there already or there is no room. */
static int put_fact(struct sq_declared_facts *f, uint32_t attribute, int64_t value)
{
    uint32_t at = f->count;
    if (f->count == SQ_FACTS_A_ROW)
        return 0;
    while (at > 0 && f->attribute[at - 1] >= attribute)
        at--;
    if (at < f->count && f->attribute[at] == attribute)
        return 0;
    memmove(f->attribute + at + 1, f->attribute + at, (f->count - at) * sizeof *f->attribute);
    memmove(f->value + at + 1, f->value + at, (f->count - at) * sizeof *f->value);
    f->attribute[at] = attribute;
    f->value[at] = value;
    f->count++;
    return 1;
}

static int read_fact(char *word, struct sq_declared_facts *out)
{
    char *equals = strchr(word, '=');
    int64_t value;
    if (equals == NULL)
        return 0;
    *equals = '\0';
    uint32_t attribute = sq_word_number(sq_words_attribute, word);
    return attribute != 0 && sq_attribute_value(attribute, equals + 1, &value) && put_fact(out, attribute, value);
}

int sq_read_facts(const char *text, struct sq_declared_facts *out)
{
    char word[WORD_SIZE];
    memset(out, 0, sizeof *out); /* sets are compared as bytes */
    for (int more; (more = next_word(&text, ";", word)) != 0;)
        if (more < 0 || !read_fact(word, out))
            return 0;
    return 1;
}

void sq_cell_facts(struct sq_cells *c, unsigned column, struct sq_declared_facts *out)
{
    if (!sq_read_facts(c->row->cell[column], out))
        sq_cells_wrong(c, column,
                       _("facts are named as in programme files, each once, with ; between them: "
                         "hardware=domestic; filing=12345"));
}

/* ---- the sets of one message ---- */

void sq_fact_table_begin(struct sq_fact_table *t, uint32_t most)
{
    *t = (struct sq_fact_table){.most = most, .sets = sq_need(malloc(most * sizeof *t->sets))};
}

int sq_fact_table_add(struct sq_fact_table *t, const struct sq_declared_facts *facts, uint32_t *number)
{
    *number = 0;
    if (facts == NULL || facts->count == 0)
        return 1;
    for (uint32_t i = t->count; i > 0; i--) /* neighbours are alike */
        if (memcmp(&t->sets[i - 1], facts, sizeof *facts) == 0) {
            *number = i;
            return 1;
        }
    if (t->count == t->most)
        return 0;
    t->sets[t->count++] = *facts;
    *number = t->count;
    return 1;
}

Sanquan__V1__FactSet **sq_fact_table_list(struct sq_fact_table *t)
{
    t->message = sq_need(calloc(t->count + 1u, sizeof *t->message));
    t->list = sq_need(calloc(t->count + 1u, sizeof *t->list));
    for (uint32_t i = 0; i < t->count; i++) {
        sanquan__v1__fact_set__init(&t->message[i]);
        t->message[i].n_attribute = t->message[i].n_value = t->sets[i].count;
        t->message[i].attribute = t->sets[i].attribute;
        t->message[i].value = t->sets[i].value;
        t->list[i] = &t->message[i];
    }
    return t->list;
}

void sq_fact_table_end(struct sq_fact_table *t)
{
    free(t->sets);
    free(t->message);
    free(t->list);
    *t = (struct sq_fact_table){0};
}
