/*
 * A window in which everyone owes everyone, at one of its nodes, with no network: rows net34_ms and net333_ms; propose34_ms, propose333_ms.
 *
 * The figure is the time to cut, to state, to take the statements and counterstatements of all others, and to net. What the others
 * say is prepared beforehand; in a network each node does that work for itself, at the same time. The proposal that comes of it, and
 * a voter's making of the same settlement from its own books, are timed for the other two rows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/sanquan.pb-c.h"
#include "tests/bench/bench.h"
#include "tests/support/dense.h"
#include "tests/support/rig.h"

/* Nobody signs here, and nobody tells on. */
static const struct sq_post unsigned_post = {.whole = {NULL, 0}};

#define PROPOSER 1u /* of window 1 in the first round */
#define VOTER    2u

static const char usage[] = "usage: statements_bench [--repeat N]\n"
                            "  --repeat N   so many times each (3)\n";

/* ---- measured ---- */

static void net_all(const struct dense *t)
{
    struct sq_obligation *o = calloc((size_t)t->n * t->n * DENSE_KINDS, sizeof *o);
    struct sq_net_result result = {0};
    struct sq_error err = {0};
    size_t count = 0;
    if (o == NULL)
        rig_die("memory", NULL);
    for (uint32_t debtor = 0; debtor < t->n; debtor++)
        for (uint32_t creditor = 0; creditor < t->n; creditor++)
            for (uint32_t k = 0; debtor != creditor && k < DENSE_KINDS; k++)
                o[count++] = (struct sq_obligation){debtor, creditor, k + 1,
                                                    t->steps[(size_t)debtor * t->n + creditor].total_fen[k]};
    dense_must(sq_net(SQ_NET_HUB, o, count, t->n, &result, &err), &err);
    sq_net_result_free(&result);
    free(o);
}

/* The proposer hears the last one, and the voter gets what it proposes; milliseconds to the vote. */
static void propose(struct dense *t, struct sq_settlement *proposer, struct sq_settlement *voter, const char *name)
{
    struct sq_error err = {0};
    struct sq_effects fx;
    dense_must(dense_hear(t, voter, VOTER, t->n - 1, 1, &fx, &err), &err);
    double begin = rig_seconds();
    dense_must(dense_hear(t, proposer, PROPOSER, t->n - 1, 1, &fx, &err), &err);
    struct dense_bytes proposal = dense_keep(dense_sent(&fx, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL));
    fx = dense_effects(t, VOTER);
    dense_must(sq_settlement_message(voter, &unsigned_post, PROPOSER, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL,
                                     sq_bytes_of(proposal.data, proposal.size), DENSE_NOW_MS + 2, &fx, &err),
               &err);
    double took = rig_seconds() - begin;
    sq_bytes body = dense_sent(&fx, SANQUAN__V1__MESSAGE_TYPE__VOTE);
    Sanquan__V1__Vote *vote = sanquan__v1__vote__unpack(NULL, body.size, body.data);
    if (vote == NULL || vote->value.len == 0)
        rig_die("the voter does not agree with the proposal", NULL);
    bench_row(name, took * 1000);
    bench_info(name, "proposal of %zu bytes, statements of %zu", proposal.size, t->statement[0].size);
    sanquan__v1__vote__free_unpacked(vote, NULL);
    free(proposal.data);
}

static void once(struct dense *t)
{
    char name[32];
    struct sq_settlement *proposer = dense_books(t, PROPOSER), *voter = dense_books(t, VOTER);
    dense_close_books(t, voter, VOTER);
    double begin = rig_seconds();
    dense_close_books(t, proposer, PROPOSER);
    net_all(t);
    snprintf(name, sizeof name, "net%" PRIu32 "_ms", t->n);
    bench_row(name, (rig_seconds() - begin) * 1000);
    snprintf(name, sizeof name, "propose%" PRIu32 "_ms", t->n);
    propose(t, proposer, voter, name);
    sq_settlement_free(proposer);
    sq_settlement_free(voter);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {34, 333};
    double repeat = 3;
    const struct bench_option options[] = {{"repeat", &repeat, NULL}};
    bench_options(argc, argv, options, 1, usage);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct dense *t = dense_new(sizes[i]);
        for (int k = 0; k < (int)repeat; k++)
            once(t);
        dense_free(t);
    }
    return 0;
}
