/*
 * Questions heard, and answers told.
 *
 * What is in memory is ahead of what is on the disk by a group or two, and nothing of it may be told before it is durable: a power cut
 * would take it back. So an answer is made at once, of the state as it is, and waits for the group that holds the newest entry of it.
 *
 *   question -> answer made -> no entry waits to be durable: told
 *                           -> else it waits in that entry's group --durable--> told     --commit failed--> never
 *            -> "history": the historian reads the ledger, where everything is durable
 */
#include <stdlib.h>
#include <string.h>

#include "ops/daemon/daemon.h"

#define HISTORY_PATH   "history"
#define TOLD_BYTES_MAX (8u << 20) /* answers that wait for one group, together; who asks for more asks again */

static void send_answer(struct sq_daemon *d, const struct sq_route *route, const char *to, uint64_t nonce,
                        unsigned status, char *json, const char *detail)
{
    char plain[200];
    Sanquan__V1__QueryAnswer out;
    sq_plain_text(detail, plain, sizeof plain);
    sanquan__v1__query_answer__init(&out);
    out.nonce = nonce;
    out.status = status;
    if (json != NULL)
        out.json = json;
    else
        out.detail = plain;
    sq_front_send(d, route, to, SANQUAN__V1__MESSAGE_TYPE__QUERY_ANSWER, &out.base);
}

/* "history" or "history?conditions": what comes after, or NULL. */
static const char *history_question(const char *path)
{
    size_t size = strlen(HISTORY_PATH);
    if (strncmp(path, HISTORY_PATH, size) != 0)
        return NULL;
    return path[size] == '\0' ? "" : path[size] == '?' ? path + size + 1 : NULL;
}

static void tell(struct sq_daemon *d, const struct sq_told *t)
{
    send_answer(d, &t->route, t->to, t->nonce, t->status, t->json, "");
    free(t->json);
}

/* The group whose entries are the newest that are not durable yet; NULL: all are. */
static struct sq_group *newest_pending(struct sq_daemon *d)
{
    struct sq_group *other = d->filling == &d->groups[0] ? &d->groups[1] : &d->groups[0];
    return d->filling->entry_count != 0 ? d->filling : other->entry_count != 0 ? other : NULL;
}

static void tell_when_durable(struct sq_daemon *d, struct sq_told *t)
{
    struct sq_group *g = newest_pending(d);
    size_t size = t->json != NULL ? strlen(t->json) : 0;
    if (g != NULL && g->told_count < GROUP_TOLD_MAX && g->told_size + size <= TOLD_BYTES_MAX) {
        g->told[g->told_count++] = *t;
        g->told_size += size;
        return;
    }
    if (g != NULL) { /* no room to wait */
        free(t->json);
        t->json = NULL;
        t->status = SQ_R_BUSY;
    }
    tell(d, t);
}

void sq_questions_durable(struct sq_daemon *d, struct sq_group *g)
{
    for (size_t i = 0; i < g->told_count; i++)
        tell(d, &g->told[i]);
    g->told_count = g->told_size = 0;
}

void sq_questions_forget(struct sq_group *g)
{
    for (size_t i = 0; i < g->told_count; i++)
        free(g->told[i].json);
    g->told_count = g->told_size = 0;
}

static unsigned ask_historian(struct sq_daemon *d, const struct sq_arrival *a, uint64_t nonce, const char *question)
{
    struct sq_historian_question q = {.route = a->route, .nonce = nonce};
    if (strlen(question) >= sizeof q.text)
        return SQ_R_UNKNOWN_QUERY;
    memcpy(q.from, a->from, sizeof q.from);
    strcpy(q.text, question);
    return sq_historian_ask(d->historian, &q);
}

void sq_questions_hear(struct sq_daemon *d, const struct sq_arrival *a, uint32_t party, const Sanquan__V1__Query *m)
{
    const char *question = d->historian != NULL ? history_question(m->path) : NULL;
    struct sq_told t = {.route = a->route, .nonce = m->nonce};
    memcpy(t.to, a->from, sizeof t.to);
    if (question == NULL)
        t.status = sq_query_answer(d, party, m->path, &t.json);
    else
        t.status = ask_historian(d, a, m->nonce, question);
    if (!sq_access_note(d, t.to, m->path, t.status)) { /* what cannot be kept is not answered */
        free(t.json);
        t.json = NULL;
        t.status = SQ_R_DISK_LOW;
        tell(d, &t);
    } else if (question == NULL) {
        tell_when_durable(d, &t);
    } else if (t.status != SQ_OK) {
        tell(d, &t);
    } /* else it is answered when the historian has it */
}

void sq_questions_send(struct sq_daemon *d)
{
    struct sq_historian_answer a;
    while (d->historian != NULL && sq_historian_take(d->historian, &a)) {
        send_answer(d, &a.route, a.to, a.nonce, a.status, a.json, a.detail);
        free(a.json);
    }
}
