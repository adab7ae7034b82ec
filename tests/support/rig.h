/*
 * Real nodes for measurements: keys, directory, ledgers and sanquand processes in one folder, and clients that speak to them.
 *
 * Everything that goes wrong ends the program with a message: a measurement of half a network is worth nothing.
 */
#ifndef SQ_TEST_RIG_H
#define SQ_TEST_RIG_H

#include <sys/types.h>

#include "peers/client.h"
#include "peers/directory.h"
#include "peers/keys.h"

#define RIG_NODES_MAX 8

struct rig_node {
    char code[7], endpoint[48], config[300], ledger[300];
    pid_t pid; /* 0: not running */
    struct sq_keys *keys, *issuer, *maker, *checker;
};

struct rig {
    char dir[200], daemon[300];
    unsigned node_count;
    struct rig_node node[RIG_NODES_MAX]; /* 310000, 370000, 440000, ... ascending */
    struct sq_directory *directory;
};

/* Files of a new network under `dir` (removed first). `daemon` is the program; `more_config` is appended to every configuration. */
struct rig *rig_new(const char *dir, const char *daemon, unsigned node_count, const char *more_config);
/* The same, with further lines in the directory. */
struct rig *rig_new_in(const char *dir, const char *daemon, unsigned node_count, const char *more_config,
                       const char *more_directory);
void rig_free(struct rig *r); /* kills what still runs */

void rig_start(struct rig *r, unsigned node);                   /* returns when it is ready */
void rig_stop(struct rig *r, unsigned node, int signal_number); /* returns when it has ended */

struct sq_client *rig_client(const struct rig *r, unsigned node, const struct sq_keys *keys, unsigned in_flight);
/* Send, wait, and insist that it is accepted whole. */
void rig_say(struct sq_client *c, uint32_t type, const ProtobufCMessage *body);
/* Packed bytes, malloc'd. */
sq_bytes rig_pack(const ProtobufCMessage *body);

/* A valid USCC of no real company: registered in region 99 of province `province`, counting up by `n`. */
void rig_uscc(unsigned province, unsigned n, char out[static 19]);
struct sq_keys *rig_keys(const char *role, const char *code);
/* The operator of `node` enrols these. */
void rig_enrol(const struct rig *r, unsigned node, struct sq_keys *const *keys, size_t count);

/* A port of loopback that nobody has and nobody is given: below 32768, where the kernel takes the near ends of outgoing connections
 * from. A peer that dials a node which is not up yet could otherwise be given just that node's port. */
unsigned rig_free_port(void);
double rig_seconds(void); /* monotonic */
_Noreturn void rig_die(const char *what, const struct sq_error *err);

#endif
