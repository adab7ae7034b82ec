/*
 * What is refused before it can be decided: answered, and written down, a limited number a minute, so that a faulty or hostile
 * connection cannot fill the ledger with its refusals.
 */
#include <string.h>

#include "clearing/base/hash.h"
#include "ops/common/log.h"
#include "ops/daemon/daemon.h"

#define REJECTS_A_MINUTE 100u
#define HEADER_KEPT_MAX  512u

static int may_write(struct sq_rejects *r, uint64_t now_ms)
{
    if (now_ms / 60000 != r->minute) {
        r->minute = now_ms / 60000;
        r->in_minute = 0;
    }
    if (r->in_minute == REJECTS_A_MINUTE) {
        r->uncounted++;
        return 0;
    }
    r->in_minute++;
    return 1;
}

void sq_plain_text(const char *in, char *out, size_t size)
{
    size_t n = 0;
    for (; in[n] != '\0' && n + 1 < size; n++)
        out[n] = in[n] < ' ' || in[n] > '~' ? '?' : in[n];
    out[n] = '\0';
}

sq_status sq_reject(struct sq_daemon *d, const struct sq_arrival *a, const struct sq_envelope *e, unsigned status,
                    const char *detail, struct sq_error *err)
{
    char plain[200], from[SQ_NAME_SIZE_MAX + 1];
    uint8_t hash[SQ_HASH_SIZE];
    sq_plain_text(detail, plain, sizeof plain);
    memcpy(from, a->from, sizeof from);
    Sanquan__V1__Refusal told;
    sanquan__v1__refusal__init(&told);
    told.id = e != NULL ? e->id : 0;
    told.status = status;
    told.detail = plain;
    told.retry_after_ms = sq_status_retry(status) ? 1000 : 0;
    sq_front_send(d, &a->route, a->from, SANQUAN__V1__MESSAGE_TYPE__REFUSAL, &told.base);
    sq_log(SQ_LOG_WARNING, "rejected", "from=%s status=%s detail=\"%s\"", a->from, sq_status_name(status), plain);
    if (!may_write(&d->rejects, d->now_ms) || d->filling->entry_count + 1 >= GROUP_ENTRIES_MAX)
        return SQ_OK;

    sq_sha256(a->bytes.data, a->bytes.size, hash);
    union {
        const uint8_t *in;
        uint8_t *out;
    } header = {e != NULL ? e->header.data : NULL}; /* messages do not say const; packing only reads */
    Sanquan__V1__Rejected m;
    sanquan__v1__rejected__init(&m);
    m.status = status;
    m.connection = from;
    m.header = (ProtobufCBinaryData){e != NULL && e->header.size <= HEADER_KEPT_MAX ? e->header.size : 0, header.out};
    m.hash = (ProtobufCBinaryData){sizeof hash, hash};
    struct sq_wire_memory memory = sq_memory_of(&d->scratch);
    sq_bytes body;
    struct sq_effects fx;
    sq_arena_reset(&d->scratch);
    sq_status st = sq_wire_pack(&m.base, &memory, &body, err);
    struct sq_event event = {d->now_ms, SANQUAN__V1__MESSAGE_TYPE__REJECTED, NULL, body};
    return st != SQ_OK ? st : sq_front_step(d, &event, body, NULL, &fx, err);
}
