/*
 * Witnessing, both sides.
 *
 *   own log:   SHOWN (own event) -> CHECKPOINT to all -> COSIGNED from each -> more than half: witnessed
 *   watching:  CHECKPOINT -> proven to continue what was seen and heard?
 *                  yes                       seen is replaced, COSIGNED, and others are told (SIGHTING)
 *                  no proof                  nothing changes; the answer says from where
 *                  a proof that is wrong, or another root at the same size
 *                                            the two heads are kept as a fork; nothing of this log is cosigned any more
 *
 * Invariants: seen[0] only ever grows, and each continues the one before; a head is kept only if the node's log key has signed it;
 * a fork, once kept, stays. Entries of these messages are no reason to show a checkpoint: an idle network falls silent.
 */
#include "clearing/core/witness.h"

#include <stdio.h>

#include "clearing/core/state.h"

#define TOLD_MAX                                                                                                       \
    4u /* witnesses that hear of a cosigned checkpoint, in turn: with more, messages would grow with the cube of the nodes */

enum verdict { VERDICT_COSIGNED = 1, VERDICT_UNPROVEN, VERDICT_FORKED };

static struct sq_witness *witness_at(const struct sq_core *core, uint32_t node)
{
    return SQ_ROW(&core->witnesses, struct sq_witness, node);
}

static struct sq_own_log *own_log(const struct sq_core *core)
{
    return core->own_log.count != 0 ? SQ_ROW(&core->own_log, struct sq_own_log, 0) : NULL;
}

sq_status sq_witness_begin(struct sq_core *core, const Sanquan__V1__Genesis *g, struct sq_error *err)
{
    if (g->witness_ms == 0)
        return g->network[0] == '\0' ? SQ_OK
                                     : sq_fail(err, SQ_E_FORMAT, "genesis: a network's name without witness_ms");
    if (g->witness_ms < 100 || g->witness_ms > 86400000u || g->network[0] == '\0' ||
        strlen(g->network) >= sizeof((struct sq_own_log *)0)->network)
        return sq_fail(err, SQ_E_FORMAT, "genesis: witness_ms %u, or the network's name", g->witness_ms);
    sq_status st = sq_table_reserve(&core->witnesses, (uint32_t)g->n_nodes, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->own_log, 1, err);
    if (st != SQ_OK)
        return st;
    for (size_t i = 0; i < g->n_nodes; i++)
        (void)sq_table_add(&core->witnesses, NULL);
    struct sq_own_log *own = sq_table_add(&core->own_log, NULL);
    memcpy(own->network, g->network, strlen(g->network));
    own->witness_ms = g->witness_ms;
    own->work_seq = 1;            /* GENESIS */
    own->shown_ms = core->now_ms; /* not at once: peers that start together do not take messages yet */
    return SQ_OK;
}

void sq_witness_note_work(struct sq_core *core, uint32_t type, uint64_t seq)
{
    struct sq_own_log *own = own_log(core);
    if (own != NULL && type != SANQUAN__V1__MESSAGE_TYPE__CHECKPOINT && type != SANQUAN__V1__MESSAGE_TYPE__COSIGNED &&
        type != SANQUAN__V1__MESSAGE_TYPE__SIGHTING && type != SANQUAN__V1__MESSAGE_TYPE__SHOWN)
        own->work_seq = seq;
}

/* ---- text ---- */

static void checkpoint_of(const struct sq_core *core, uint32_t node, uint64_t size,
                          const uint8_t root[static SQ_HASH_SIZE], struct sq_checkpoint *out)
{
    *out = (struct sq_checkpoint){.size = size};
    snprintf(out->origin, sizeof out->origin, "%s/%s", own_log(core)->network, sq_node_at(core, node)->code);
    memcpy(out->root, root, SQ_HASH_SIZE);
}

size_t sq_core_head_text(const struct sq_core *core, uint32_t node, uint64_t size,
                         const uint8_t root[static SQ_HASH_SIZE], char *out, size_t out_size)
{
    struct sq_checkpoint c;
    checkpoint_of(core, node, size, root, &c);
    return sq_checkpoint_body(&c, out, out_size);
}

static int log_signed(const struct sq_core *core, uint32_t node, const struct sq_head *h)
{
    char text[512];
    size_t size = sq_core_head_text(core, node, h->size, h->root, text, sizeof text);
    return core->note_check != NULL && size != 0 &&
           core->note_check(sq_bytes_of(text, size), h->signature, sq_node_at(core, node)->log_key);
}

size_t sq_core_head_note(const struct sq_core *core, uint32_t node, const struct sq_head *head, char *out,
                         size_t out_size)
{
    char text[512];
    struct sq_checkpoint c;
    checkpoint_of(core, node, head->size, head->root, &c);
    size_t size = sq_checkpoint_body(&c, text, sizeof text);
    size = sq_note_write(text, size, c.origin, sq_node_at(core, node)->log_key, head->signature, out, out_size);
    if (node != core->self || head->size != own_log(core)->witnessed.size)
        return size;
    for (uint32_t i = 0; size != 0 && i < core->nodes.count; i++) {
        const struct sq_witness *w = witness_at(core, i);
        if (i == core->self || w->kept_size != head->size)
            continue;
        struct sq_checkpoint name;
        checkpoint_of(core, i, 1, head->root, &name); /* a witness is called as its own log */
        size = sq_note_cosign(out, size, out_size, name.origin, sq_node_at(core, i)->log_key, w->kept_time_s,
                              w->kept_signature);
    }
    return size;
}

/* ---- heads on the wire ---- */

static sq_status read_head(struct sq_step *s, uint32_t node, const Sanquan__V1__Head *in, struct sq_head *out)
{
    if (in == NULL || in->size == 0 || in->size > INT64_MAX || in->root.len != SQ_HASH_SIZE || in->signature.len != 64)
        return sq_refuse(s, SQ_R_COLUMNS, "checkpoint is not there, or its root or signature has another size");
    out->size = in->size;
    memcpy(out->root, in->root.data, sizeof out->root);
    memcpy(out->signature, in->signature.data, sizeof out->signature);
    return log_signed(s->core, node, out)
               ? SQ_OK
               : sq_refuse(s, SQ_R_BAD_SIGNATURE, "checkpoint of size %" PRIu64 " is not signed by the log of node %s",
                           out->size, sq_node_at(s->core, node)->code);
}

static Sanquan__V1__Head *write_head(struct sq_step *s, const struct sq_head *in)
{
    Sanquan__V1__Head *out = sq_arena_take(s->fx->arena, sizeof *out);
    uint8_t *bytes = sq_arena_copy(s->fx->arena, in->root, SQ_HASH_SIZE + sizeof in->signature);
    _Static_assert(offsetof(struct sq_head, signature) == offsetof(struct sq_head, root) + SQ_HASH_SIZE,
                   "root and signature are copied together");
    if (out == NULL || bytes == NULL)
        return NULL;
    sanquan__v1__head__init(out);
    out->size = in->size;
    out->root = (ProtobufCBinaryData){SQ_HASH_SIZE, bytes};
    out->signature = (ProtobufCBinaryData){sizeof in->signature, bytes + SQ_HASH_SIZE};
    return out;
}

static int proofs_in_form(const Sanquan__V1__Checkpoint *m)
{
    if (m->n_proofs > SQ_SHOWN_PROOFS_MAX)
        return 0;
    for (size_t i = 0; i < m->n_proofs; i++)
        if (m->proofs[i]->proof.len % SQ_HASH_SIZE != 0 || m->proofs[i]->proof.len > 64 * SQ_HASH_SIZE ||
            m->proofs[i]->size == 0 || (i != 0 && m->proofs[i]->size <= m->proofs[i - 1]->size))
            return 0;
    return 1;
}

static Sanquan__V1__Consistency *find_proof(const Sanquan__V1__Checkpoint *m, uint64_t size)
{
    for (size_t i = 0; i < m->n_proofs; i++)
        if (m->proofs[i]->size == size)
            return m->proofs[i];
    return NULL;
}

/* ---- what is known of a log ---- */

static int same_root(const struct sq_head *a, const struct sq_head *b)
{
    return memcmp(a->root, b->root, SQ_HASH_SIZE) == 0;
}

/* The head that is known at this size; NULL. */
static const struct sq_head *known_at(const struct sq_witness *w, uint64_t size)
{
    for (uint32_t i = 0; i < SQ_HEADS_KEPT; i++)
        if (w->seen[i].size == size)
            return &w->seen[i];
    return w->heard.size == size ? &w->heard : NULL;
}

static void see(struct sq_witness *w, const struct sq_head *head)
{
    if (w->seen[0].size == head->size)
        return;
    memmove(w->seen + 1, w->seen, (SQ_HEADS_KEPT - 1) * sizeof *w->seen);
    w->seen[0] = *head;
}

/* Two heads of one size convict by themselves, so everybody is told; of others the proof that failed is part, which stands in this entry. */
static sq_status convict(struct sq_step *s, uint32_t node, const struct sq_head *one, const struct sq_head *two,
                         uint32_t from)
{
    struct sq_core *core = s->core;
    struct sq_witness *w = witness_at(core, node);
    const struct sq_head a = *one, b = *two; /* they may lie in *w */
    if (w->fork[0].size != 0)
        return SQ_OK;
    w->fork[0] = a;
    w->fork[1] = b;
    w->fork_ms = core->now_ms;
    w->fork_entry = s->fx->seq;
    w->fork_from = from;
    if (a.size != b.size)
        return SQ_OK;
    Sanquan__V1__Sighting m;
    sanquan__v1__sighting__init(&m);
    m.node = sq_node_at(core, node)->code;
    if ((m.head = write_head(s, &a)) == NULL || (m.other = write_head(s, &b)) == NULL)
        return sq_full(s);
    for (uint32_t i = 0; i < core->nodes.count; i++)
        if (i != core->self && i != node && i != from) {
            sq_status st = sq_effects_send(s->fx, i, SANQUAN__V1__MESSAGE_TYPE__SIGHTING, &m.base, s->err);
            if (st != SQ_OK)
                return st;
        }
    return SQ_OK;
}

/* Somebody has this head of the node's log. The largest is kept until the node shows that it went on from there. */
static sq_status hear(struct sq_step *s, uint32_t node, const struct sq_head *head, uint32_t from)
{
    struct sq_witness *w = witness_at(s->core, node);
    const struct sq_head *known = known_at(w, head->size);
    if (known != NULL)
        return same_root(known, head) ? SQ_OK : convict(s, node, known, head, from);
    if (head->size > w->heard.size) {
        w->heard = *head;
        w->heard_from = from;
    }
    return SQ_OK;
}

/* ---- watching others ---- */

static sq_status answer(struct sq_step *s, uint32_t to, enum verdict verdict, const struct sq_head *head)
{
    const struct sq_witness *w = witness_at(s->core, to);
    const struct sq_head *seen = verdict == VERDICT_FORKED ? &w->fork[0] : &w->seen[0],
                         *heard = verdict == VERDICT_FORKED ? &w->fork[1] : &w->heard;
    Sanquan__V1__Cosigned m;
    sanquan__v1__cosigned__init(&m);
    uint8_t *root = sq_arena_copy(s->fx->arena, head->root, SQ_HASH_SIZE);
    if (root == NULL)
        return sq_full(s);
    m.verdict = verdict;
    m.size = head->size;
    m.root = (ProtobufCBinaryData){SQ_HASH_SIZE, root};
    if (verdict == VERDICT_COSIGNED)
        m.time_s = s->core->now_ms / 1000;
    else if ((seen->size != 0 && (m.seen = write_head(s, seen)) == NULL) ||
             (heard->size != 0 && (m.heard = write_head(s, heard)) == NULL))
        return sq_full(s);
    return sq_effects_send(s->fx, to, SANQUAN__V1__MESSAGE_TYPE__COSIGNED, &m.base, s->err);
}

/* A few other witnesses hear of it, each time the next ones. */
static sq_status tell(struct sq_step *s, uint32_t node, const struct sq_head *head, uint64_t turn)
{
    struct sq_core *core = s->core;
    uint32_t told = 0;
    Sanquan__V1__Sighting m;
    sanquan__v1__sighting__init(&m);
    m.node = sq_node_at(core, node)->code;
    if ((m.head = write_head(s, head)) == NULL)
        return sq_full(s);
    for (uint32_t k = 0; k < core->nodes.count && told < TOLD_MAX; k++) {
        uint32_t i = (uint32_t)((turn * TOLD_MAX + k) % core->nodes.count);
        if (i == core->self || i == node)
            continue;
        sq_status st = sq_effects_send(s->fx, i, SANQUAN__V1__MESSAGE_TYPE__SIGHTING, &m.base, s->err);
        if (st != SQ_OK)
            return st;
        told++;
    }
    return SQ_OK;
}

enum continuation { IS_WRONG = -1, IS_UNPROVEN, IS_PROVEN };

static enum continuation continues(const struct sq_head *earlier, const struct sq_head *head,
                                   const Sanquan__V1__Checkpoint *m)
{
    if (earlier->size == 0)
        return IS_PROVEN;
    if (earlier->size >= head->size)
        return earlier->size > head->size ? IS_UNPROVEN : same_root(earlier, head) ? IS_PROVEN : IS_WRONG;
    const Sanquan__V1__Consistency *p = find_proof(m, earlier->size);
    if (p == NULL)
        return IS_UNPROVEN;
    return sq_tree_verify_consistency(earlier->size, head->size, earlier->root, head->root, p->proof.data,
                                      p->proof.len / SQ_HASH_SIZE, NULL) == SQ_OK
               ? IS_PROVEN
               : IS_WRONG;
}

static sq_status not_shown(struct sq_step *s, uint32_t from, const struct sq_head *head)
{
    struct sq_witness *w = witness_at(s->core, from);
    if (w->unproven_ms == 0)
        w->unproven_ms = s->core->now_ms;
    return answer(s, from, VERDICT_UNPROVEN, head);
}

static sq_status forked(struct sq_step *s, uint32_t from, const struct sq_head *earlier, const struct sq_head *head)
{
    sq_status st = convict(s, from, earlier, head, s->core->self);
    return st == SQ_OK ? answer(s, from, VERDICT_FORKED, head) : st;
}

sq_status sq_on_checkpoint(struct sq_step *s, uint32_t from, const Sanquan__V1__Checkpoint *m)
{
    struct sq_head head;
    if (own_log(s->core) == NULL)
        return sq_refuse(s, SQ_R_NOT_PERMITTED, "this network has no witnesses");
    sq_status st = read_head(s, from, m->head, &head);
    if (st != SQ_OK)
        return st;
    if (!proofs_in_form(m))
        return sq_refuse(s, SQ_R_COLUMNS, "proofs of a checkpoint are out of order or have another size");
    struct sq_witness *w = witness_at(s->core, from);
    if (w->fork[0].size != 0)
        return answer(s, from, VERDICT_FORKED, &head);
    const struct sq_head *known = known_at(w, head.size);
    if (known != NULL && !same_root(known, &head))
        return forked(s, from, known, &head);
    /* What others have told of and is larger than this must be continued by a later checkpoint, not by this one. */
    const struct sq_head *earlier[2] = {&w->seen[0], w->heard.size <= head.size ? &w->heard : &w->seen[0]};
    for (size_t i = 0; i < 2; i++)
        switch (continues(earlier[i], &head, m)) {
        case IS_WRONG:
            return forked(s, from, earlier[i], &head);
        case IS_UNPROVEN:
            return not_shown(s, from, &head);
        case IS_PROVEN:
            break;
        }
    const int is_new = head.size != w->seen[0].size;
    see(w, &head);
    w->cosigned_ms = s->core->now_ms;
    w->unproven_ms = 0;
    if (w->heard.size <= head.size)
        w->heard = (struct sq_head){0};
    st = answer(s, from, VERDICT_COSIGNED, &head);
    return st == SQ_OK && is_new ? tell(s, from, &head, w->cosigned_count++) : st;
}

sq_status sq_on_sighting(struct sq_step *s, uint32_t from, const Sanquan__V1__Sighting *m)
{
    struct sq_head head, other;
    if (own_log(s->core) == NULL)
        return sq_refuse(s, SQ_R_NOT_PERMITTED, "this network has no witnesses");
    uint32_t node = sq_node_of_code(s->core, m->node);
    if (node == SQ_ROW_NONE || node == from)
        return sq_refuse(s, SQ_R_UNKNOWN_NODE, "sighting of the log of %s by %s", m->node,
                         sq_node_at(s->core, from)->code);
    sq_status st = read_head(s, node, m->head, &head);
    if (st == SQ_OK && m->other != NULL)
        st = read_head(s, node, m->other, &other);
    if (st != SQ_OK)
        return st;
    if (m->other != NULL && head.size == other.size && !same_root(&head, &other))
        return convict(s, node, &head, &other, from);
    st = hear(s, node, &head, from);
    return st == SQ_OK && m->other != NULL ? hear(s, node, &other, from) : st;
}

/* ---- this node's own log ---- */

uint32_t sq_core_witness_quorum(const struct sq_core *core)
{
    return (core->nodes.count - 1) / 2 + 1;
}

/* More than half of the others have cosigned what was shown last: from now on that is what receipts can lean on. */
static void count_cosignatures(struct sq_core *core)
{
    struct sq_own_log *own = own_log(core);
    const struct sq_head *shown = &witness_at(core, core->self)->seen[0];
    uint32_t count = 0;
    for (uint32_t i = 0; i < core->nodes.count; i++)
        count += i != core->self && witness_at(core, i)->size == shown->size;
    if (count < sq_core_witness_quorum(core))
        return;
    own->witnessed = *shown;
    for (uint32_t i = 0; i < core->nodes.count; i++) {
        struct sq_witness *w = witness_at(core, i);
        if (i == core->self || w->size != shown->size)
            continue;
        w->kept_size = w->size;
        w->kept_time_s = w->time_s;
        memcpy(w->kept_signature, w->signature, sizeof w->signature);
    }
}

static sq_status on_cosignature(struct sq_step *s, uint32_t from, const Sanquan__V1__Cosigned *m)
{
    struct sq_core *core = s->core;
    struct sq_witness *w = witness_at(core, from);
    const struct sq_head *shown = known_at(witness_at(core, core->self), m->size);
    char body[512], text[640];
    if (m->root.len != SQ_HASH_SIZE || m->cosignature.len != 64 || m->time_s > INT64_MAX)
        return sq_refuse(s, SQ_R_COLUMNS, "cosignature, its root or its time has another size");
    if (shown == NULL || memcmp(shown->root, m->root.data, SQ_HASH_SIZE) != 0)
        return sq_refuse(s, SQ_R_BAD_SIGNATURE, "no checkpoint of size %" PRIu64 " and this root was shown lately",
                         m->size);
    size_t size = sq_core_head_text(core, core->self, m->size, m->root.data, body, sizeof body);
    size = sq_cosigned_text(m->time_s, sq_bytes_of(body, size), text, sizeof text);
    if (core->note_check == NULL || size == 0 ||
        !core->note_check(sq_bytes_of(text, size), m->cosignature.data, sq_node_at(core, from)->log_key))
        return sq_refuse(s, SQ_R_BAD_SIGNATURE, "cosignature of node %s does not verify", sq_node_at(core, from)->code);
    w->known = m->size > w->known ? m->size : w->known;
    w->wanted = 0;
    w->again = 0;
    w->accused_ms = 0;
    if (m->size >= w->size) {
        w->size = m->size;
        w->time_s = m->time_s;
        memcpy(w->signature, m->cosignature.data, sizeof w->signature);
        count_cosignatures(core);
    }
    return SQ_OK;
}

/* The witness shows checkpoints of ours. It is believed only where our own key has signed them. */
static sq_status on_doubt(struct sq_step *s, uint32_t from, const Sanquan__V1__Cosigned *m)
{
    struct sq_core *core = s->core;
    struct sq_witness *w = witness_at(core, from);
    struct sq_head seen = {0}, heard = {0};
    sq_status st = m->seen != NULL ? read_head(s, core->self, m->seen, &seen) : SQ_OK;
    if (st == SQ_OK && m->heard != NULL)
        st = read_head(s, core->self, m->heard, &heard);
    if (st != SQ_OK)
        return st;
    if (m->verdict == VERDICT_FORKED) {
        w->accused_ms = w->accused_ms != 0 ? w->accused_ms : core->now_ms;
        if (seen.size == heard.size && seen.size != 0 && !same_root(&seen, &heard))
            return convict(s, core->self, &seen, &heard, from);
        return SQ_OK;
    }
    w->known = seen.size;
    w->wanted = heard.size;
    w->again = 1;
    st = seen.size != 0 ? hear(s, core->self, &seen, from) : SQ_OK;
    return st == SQ_OK && heard.size != 0 ? hear(s, core->self, &heard, from) : st;
}

sq_status sq_on_cosigned(struct sq_step *s, uint32_t from, const Sanquan__V1__Cosigned *m)
{
    if (own_log(s->core) == NULL)
        return sq_refuse(s, SQ_R_NOT_PERMITTED, "this network has no witnesses");
    if (m->verdict == VERDICT_COSIGNED)
        return on_cosignature(s, from, m);
    if (m->verdict != VERDICT_UNPROVEN && m->verdict != VERDICT_FORKED)
        return sq_refuse(s, SQ_R_COLUMNS, "verdict %u", m->verdict);
    return on_doubt(s, from, m);
}

/*
 * The checkpoint with the proofs that this witness wants, out of those that are there, and always that from the checkpoint shown before:
 * others may have told the witness of it meanwhile.
 */
static sq_status show_to(struct sq_step *s, uint32_t node, const Sanquan__V1__Checkpoint *m, uint64_t before)
{
    const struct sq_witness *w = witness_at(s->core, node);
    Sanquan__V1__Consistency *proofs[3];
    Sanquan__V1__Checkpoint out;
    sanquan__v1__checkpoint__init(&out);
    out.head = m->head;
    out.proofs = proofs;
    for (size_t i = 0; i < m->n_proofs; i++)
        if (m->proofs[i]->size == w->known || m->proofs[i]->size == w->wanted || m->proofs[i]->size == before)
            proofs[out.n_proofs++] = m->proofs[i];
    return sq_effects_send(s->fx, node, SANQUAN__V1__MESSAGE_TYPE__CHECKPOINT, &out.base, s->err);
}

sq_status sq_on_shown(struct sq_step *s, sq_bytes body)
{
    struct sq_core *core = s->core;
    ProtobufCMessage *opened;
    struct sq_head head;
    if (own_log(core) == NULL)
        return sq_fail(s->err, SQ_E_FORMAT, "a checkpoint was shown in a network without witnesses");
    sq_status st = sq_wire_open(&sanquan__v1__checkpoint__descriptor, body, &s->memory, &opened, s->err);
    if (st != SQ_OK)
        return sq_fail_context(s->err, SQ_E_FORMAT, "shown checkpoint");
    const Sanquan__V1__Checkpoint *m = (const Sanquan__V1__Checkpoint *)opened;
    struct sq_witness *self = witness_at(core, core->self);
    if (read_head(s, core->self, m->head, &head) != SQ_OK)
        return sq_fail(s->err, SQ_E_FORMAT, "shown checkpoint: %s", s->why.text);
    if (!proofs_in_form(m) || head.size > core->seq || head.size <= self->seen[0].size)
        return sq_fail(s->err, SQ_E_FORMAT, "shown checkpoint of size %" PRIu64 " after %" PRIu64, head.size,
                       self->seen[0].size);
    const uint64_t before = self->seen[0].size;
    see(self, &head);
    if (self->heard.size == head.size) /* others had it before we had shown it to all */
        self->heard = (struct sq_head){0};
    own_log(core)->shown_ms = core->now_ms;
    for (uint32_t i = 0; st == SQ_OK && i < core->nodes.count; i++) {
        witness_at(core, i)->again = 0;
        if (i != core->self)
            st = show_to(s, i, m, before);
    }
    return st;
}

/* ---- reading ---- */

void sq_core_set_note_check(struct sq_core *core, sq_ed25519_verify verify)
{
    core->note_check = verify;
}

const struct sq_own_log *sq_core_own_log(const struct sq_core *core)
{
    return own_log(core);
}

const struct sq_witness *sq_core_witness(const struct sq_core *core, uint32_t node)
{
    return witness_at(core, node);
}

const struct sq_head *sq_core_newest_head(const struct sq_core *core, uint32_t node)
{
    const struct sq_witness *w = witness_at(core, node);
    return w->heard.size > w->seen[0].size ? &w->heard : &w->seen[0];
}

int sq_core_show_due(const struct sq_core *core, uint64_t now_ms, uint64_t *at_ms_out)
{
    const struct sq_own_log *own = own_log(core);
    int wanted = 0;
    *at_ms_out = UINT64_MAX;
    if (own == NULL || core->nodes.count < 2)
        return 0;
    for (uint32_t i = 0; i < core->nodes.count; i++)
        wanted |= witness_at(core, i)->again != 0;
    if (!wanted && own->work_seq <= witness_at(core, core->self)->seen[0].size)
        return 0;
    *at_ms_out = own->shown_ms + own->witness_ms;
    return *at_ms_out <= now_ms;
}

static size_t want(uint64_t *sizes, size_t n, uint64_t size, uint64_t below)
{
    size_t at = 0;
    while (at < n && sizes[at] < size)
        at++;
    if (size == 0 || size >= below || (at < n && sizes[at] == size) || n == SQ_SHOWN_PROOFS_MAX)
        return n;
    memmove(sizes + at + 1, sizes + at, (n - at) * sizeof *sizes);
    sizes[at] = size;
    return n + 1;
}

size_t sq_core_wanted_sizes(const struct sq_core *core, uint64_t size, uint64_t out[static SQ_SHOWN_PROOFS_MAX])
{
    size_t n = want(out, 0, witness_at(core, core->self)->seen[0].size, size);
    for (uint32_t i = 0; i < core->nodes.count; i++) {
        n = want(out, n, witness_at(core, i)->known, size);
        n = want(out, n, witness_at(core, i)->wanted, size);
    }
    return n;
}
