#include "ops/common/evidence.h"

#include <stdlib.h>
#include <string.h>

static const char *const steps[] = {"", "proposal", "prevote", "precommit"};

static size_t add_votes(const struct sq_core *core, uint64_t window, struct sq_evidence *out, size_t max)
{
    const struct sq_settlement *s = sq_core_settlement(core);
    uint32_t count = sq_settlement_double_votes(s, NULL, 0);
    struct sq_double_vote *v = calloc(count + 1u, sizeof *v);
    size_t n = 0;
    if (v == NULL)
        return 0;
    (void)sq_settlement_double_votes(s, v, count);
    for (uint32_t i = 0; i < count; i++) {
        if (window != 0 && v[i].window != window)
            continue;
        if (n < max) {
            out[n] = (struct sq_evidence){.window = v[i].window, .round = v[i].round, .what = steps[v[i].step & 3u]};
            memcpy(out[n].node, sq_core_node(core, v[i].node)->code, sizeof out[n].node);
            memcpy(out[n].hash[0], v[i].first, sizeof out[n].hash[0]);
            memcpy(out[n].hash[1], v[i].second, sizeof out[n].hash[1]);
        }
        n++;
    }
    free(v);
    return n;
}

static size_t add_statements(const struct sq_core *core, uint64_t window, struct sq_evidence *out, size_t max)
{
    const struct sq_settlement *s = sq_core_settlement(core);
    uint32_t count = sq_settlement_double_statements(s, NULL, 0);
    struct sq_double_statement *d = calloc(count + 1u, sizeof *d);
    size_t n = 0;
    if (d == NULL)
        return 0;
    (void)sq_settlement_double_statements(s, d, count);
    for (uint32_t i = 0; i < count; i++) {
        if (window != 0 && d[i].window != window)
            continue;
        if (n < max) {
            out[n] = (struct sq_evidence){.window = d[i].window,
                                          .what = d[i].counter ? "counterstatement" : "statement",
                                          .entry = {d[i].entry[0], d[i].entry[1]}};
            memcpy(out[n].node, sq_core_node(core, d[i].node)->code, sizeof out[n].node);
            memcpy(out[n].hash, d[i].hash, sizeof out[n].hash);
        }
        n++;
    }
    free(d);
    return n;
}

size_t sq_evidence_list(const struct sq_core *core, uint64_t window, struct sq_evidence *out, size_t max)
{
    size_t n = add_statements(core, window, out, max);
    return n + add_votes(core, window, n < max ? out + n : out, n < max ? max - n : 0);
}
