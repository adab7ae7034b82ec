#include "tests/support/setoff_model.h"

#define GAIN 1000 /* of a fen discharged, against 1 for a fen of money spared: more than any cycle can spare */

/* Residual arc u -> v of the model: node n is everybody's purse. */
static int64_t room(const struct setoff_set *s, int64_t flow[SETOFF_NODES_MAX + 1][SETOFF_NODES_MAX + 1], uint32_t u,
                    uint32_t v, int back, int *gain)
{
    uint32_t n = s->n;
    if (back) { /* undo what flows v -> u */
        *gain = u == n ? 0 : v == n ? 1 : -GAIN;
        return flow[v][u];
    }
    *gain = u == n ? -1 : v == n ? 0 : GAIN;
    if (u == n)
        return v == n ? 0 : s->funds[v] - flow[n][v];
    return v == n ? INT64_MAX / 4 : s->owed[u][v] - flow[u][v];
}

/* Bellman-Ford for the most gain; when a cycle gains, turn it. */
static int turn_a_cycle(const struct setoff_set *s, int64_t flow[SETOFF_NODES_MAX + 1][SETOFF_NODES_MAX + 1])
{
    uint32_t n = s->n + 1, from[SETOFF_NODES_MAX + 1], last = UINT32_MAX;
    int64_t best[SETOFF_NODES_MAX + 1] = {0};
    int back_at[SETOFF_NODES_MAX + 1] = {0}, gain;
    for (uint32_t round = 0; round <= n; round++) {
        last = UINT32_MAX;
        for (uint32_t u = 0; u < n; u++)
            for (uint32_t v = 0; v < n; v++)
                for (int back = 0; back < 2; back++)
                    if (u != v && room(s, flow, u, v, back, &gain) > 0 && best[u] + gain > best[v]) {
                        best[v] = best[u] + gain;
                        from[v] = u;
                        back_at[v] = back;
                        last = v;
                    }
        if (last == UINT32_MAX)
            return 0;
    }
    for (uint32_t i = 0; i < n; i++)
        last = from[last]; /* now on the cycle */
    int64_t fen = INT64_MAX;
    uint32_t v = last;
    do {
        int64_t r = room(s, flow, from[v], v, back_at[v], &gain);
        fen = r < fen ? r : fen;
        v = from[v];
    } while (v != last);
    do {
        if (back_at[v])
            flow[v][from[v]] -= fen;
        else
            flow[from[v]][v] += fen;
        v = from[v];
    } while (v != last);
    return 1;
}

struct setoff_answer setoff_model(const struct setoff_set *s)
{
    int64_t flow[SETOFF_NODES_MAX + 1][SETOFF_NODES_MAX + 1] = {{0}};
    struct setoff_answer a = {0};
    while (turn_a_cycle(s, flow))
        ;
    for (uint32_t u = 0; u < s->n; u++) {
        int64_t out = 0, in = 0;
        for (uint32_t v = 0; v < s->n; v++) {
            out += flow[u][v];
            in += flow[v][u];
        }
        a.discharged += out;
        a.money += out > in ? out - in : 0;
    }
    return a;
}
