#include "ops/common/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/common/schedule.h"
#include "peers/yaml.h"

static const cyaml_schema_field_t peer_fields[] = {
    CYAML_FIELD_STRING_PTR("code", CYAML_FLAG_POINTER, struct sq_config_peer, code, 6, 6),
    CYAML_FIELD_STRING_PTR("endpoint", CYAML_FLAG_POINTER, struct sq_config_peer, endpoint, 8, 200),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t peer_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sq_config_peer, peer_fields)};
static const cyaml_schema_value_t cutoff_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 100)};
static const cyaml_schema_value_t log_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 4000)};
static const cyaml_schema_field_t config_fields[] = {
    CYAML_FIELD_STRING_PTR("node", CYAML_FLAG_POINTER, struct sq_config, node, 6, 6),
    CYAML_FIELD_STRING_PTR("directory", CYAML_FLAG_POINTER, struct sq_config, directory, 1, 4000),
    CYAML_FIELD_STRING_PTR("keys", CYAML_FLAG_POINTER, struct sq_config, keys, 1, 4000),
    CYAML_FIELD_STRING_PTR("passphrase_file", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sq_config,
                           passphrase_file, 1, 4000),
    CYAML_FIELD_STRING_PTR("ledger", CYAML_FLAG_POINTER, struct sq_config, ledger, 1, 4000),
    CYAML_FIELD_STRING_PTR("bind", CYAML_FLAG_POINTER, struct sq_config, bind, 8, 200),
    CYAML_FIELD_STRING_PTR("log", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sq_config, log, 4, 5),
    CYAML_FIELD_SEQUENCE("peers", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sq_config, peers, &peer_schema, 0,
                         511),
    CYAML_FIELD_SEQUENCE("cutoffs", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sq_config, cutoffs, &cutoff_schema,
                         0, 96),
    CYAML_FIELD_STRING_PTR("access_log", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sq_config, access_log, 1,
                           4000),
    CYAML_FIELD_SEQUENCE("anchored_logs", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sq_config, anchored_logs,
                         &log_schema, 0, 16),
    CYAML_FIELD_STRING_PTR("metrics", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sq_config, metrics, 11, 21),
    CYAML_FIELD_BOOL("start_alone", CYAML_FLAG_OPTIONAL, struct sq_config, start_alone),
    CYAML_FIELD_UINT("anchor_seconds", CYAML_FLAG_OPTIONAL, struct sq_config, anchor_seconds),
    CYAML_FIELD_UINT("map_size_gib", CYAML_FLAG_OPTIONAL, struct sq_config, map_size_gib),
    CYAML_FIELD_UINT("disk_low_permille", CYAML_FLAG_OPTIONAL, struct sq_config, disk_low_permille),
    CYAML_FIELD_UINT("snapshot_every_items", CYAML_FLAG_OPTIONAL, struct sq_config, snapshot_every_items),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct sq_config, config_fields)};

/* "127.N.N.N:PORT". */
static int loopback_ok(const char *where)
{
    const char *colon = strchr(where, ':');
    return strncmp(where, "127.", 4) == 0 && colon != NULL && colon - where >= 9 && colon - where <= 15 &&
           strspn(where, "0123456789.") == (size_t)(colon - where) && colon[1] != '\0' && strlen(colon + 1) <= 5 &&
           strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

/* The last part of a log's path is its name in the journal. */
static const char *log_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int log_name_ok(const char *path)
{
    const char *name = log_name(path);
    return *name != '\0' && strlen(name) < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name);
}

/* What is wrong about anchored log i; NULL: nothing. */
static const char *wrong_log(const struct sq_config *c, unsigned i)
{
    if (!log_name_ok(c->anchored_logs[i]))
        return "a log's file is named with 1 to 63 of A-Z a-z 0-9 . _ -";
    if (c->access_log != NULL && strcmp(log_name(c->access_log), log_name(c->anchored_logs[i])) == 0)
        return "two logs have the same file name, which is what the journal calls them";
    for (unsigned k = 0; k < i; k++)
        if (strcmp(log_name(c->anchored_logs[k]), log_name(c->anchored_logs[i])) == 0)
            return "two logs have the same file name, which is what the journal calls them";
    return NULL;
}

/* What is wrong about peer i; NULL: nothing. */
static const char *wrong_peer(const struct sq_config *c, unsigned i)
{
    const struct sq_config_peer *p = &c->peers[i];
    if (strncmp(p->endpoint, "tcp://", 6) != 0 || strspn(p->code, "0123456789") != 6 || strcmp(p->code, c->node) == 0)
        return "a peer has another node's six-digit code and a tcp:// endpoint";
    for (unsigned k = 0; k < i; k++)
        if (strcmp(c->peers[k].code, p->code) == 0)
            return "this peer stands twice";
    return NULL;
}

static sq_status check(const struct sq_config *c, const char *path, sq_bytes text, struct sq_error *err)
{
    const char *why = NULL;
    char where[32] = "";
    if (strspn(c->node, "0123456789") != 6)
        strcpy(where, "node"), why = "node is a six-digit code";
    else if (strncmp(c->bind, "tcp://", 6) != 0)
        strcpy(where, "bind"), why = "bind is a tcp:// endpoint";
    else if (c->log != NULL && strcmp(c->log, "info") != 0 && strcmp(c->log, "debug") != 0)
        strcpy(where, "log"), why = "log is info or debug";
    else if (c->access_log != NULL && !log_name_ok(c->access_log))
        strcpy(where, "access_log"), why = "a log's file is named with 1 to 63 of A-Z a-z 0-9 . _ -";
    else if (c->metrics != NULL && !loopback_ok(c->metrics))
        strcpy(where, "metrics"), why = "metrics is an address of loopback and a port, as in 127.0.0.1:9310";
    else if (c->anchor_seconds > 86400)
        strcpy(where, "anchor_seconds"), why = "anchor_seconds is 1 to 86400";
    else if (c->map_size_gib > 65536)
        strcpy(where, "map_size_gib"), why = "map_size_gib is 1 to 65536";
    else if (c->disk_low_permille > 900)
        strcpy(where, "disk_low_permille"), why = "disk_low_permille is 1 to 900";
    else if (c->snapshot_every_items < 1000)
        strcpy(where, "snapshot_every_items"), why = "snapshot_every_items is 1000 or more";
    for (unsigned i = 0; why == NULL && i < c->peers_count; i++) {
        snprintf(where, sizeof where, "peers[%u]", i);
        why = wrong_peer(c, i);
    }
    for (unsigned i = 0; why == NULL && i < c->anchored_logs_count; i++) {
        snprintf(where, sizeof where, "anchored_logs[%u]", i);
        why = wrong_log(c, i);
    }
    for (unsigned i = 0; why == NULL && i < c->cutoffs_count; i++) {
        snprintf(where, sizeof where, "cutoffs[%u]", i);
        struct sq_schedule s;
        why = sq_schedule_read(c->cutoffs[i], &s);
    }
    return why == NULL ? SQ_OK : sq_fail(err, SQ_E_CONFIG, "%.100s:%u: %s", path, sq_yaml_line(text, where), why);
}

sq_status sq_config_read(const char *path, struct sq_config **out, struct sq_error *err)
{
    uint8_t *data;
    size_t size;
    void *parsed = NULL;
    sq_status st = sq_file_read(path, &data, &size, err);
    if (st != SQ_OK)
        return st;
    st = sq_yaml_parse(sq_bytes_of(data, size), path, &config_schema, &parsed, err);
    struct sq_config *c = parsed;
    if (st == SQ_OK) {
        if (c->anchor_seconds == 0)
            c->anchor_seconds = 600;
        if (c->disk_low_permille == 0)
            c->disk_low_permille = 50;
        if (c->snapshot_every_items == 0)
            c->snapshot_every_items = 12000000;
        st = check(c, path, sq_bytes_of(data, size), err);
    }
    free(data);
    if (st == SQ_OK)
        *out = c;
    else
        sq_config_free(c);
    return st;
}

void sq_config_free(struct sq_config *c)
{
    if (c != NULL)
        sq_yaml_free(&config_schema, c);
}

struct sq_cutoff sq_config_next_cutoff(const struct sq_config *c, uint64_t now_ms)
{
    struct sq_cutoff next = {.at_ms = UINT64_MAX};
    for (unsigned i = 0; i < c->cutoffs_count; i++) {
        struct sq_schedule s;
        uint64_t at = sq_schedule_read(c->cutoffs[i], &s) == NULL ? sq_schedule_next(&s, now_ms) : UINT64_MAX;
        if (at < next.at_ms)
            next = (struct sq_cutoff){at, s.kinds};
        else if (at == next.at_ms && at != UINT64_MAX)
            next.kinds = s.kinds == 0 || next.kinds == 0 ? 0 : next.kinds | s.kinds;
    }
    return next;
}
