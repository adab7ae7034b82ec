/*
 * A trace of what a process did to its ledger's disk: records one after another, each a head and `size` bytes, in the machine's own layout
 * because recorder and reader are of one build. Written by tests/preload/disk.c; TRACE_ACK by whoever was told that something is durable.
 */
#ifndef SQ_TEST_TRACE_H
#define SQ_TEST_TRACE_H

#include <stdint.h>

#define TRACE_MAGIC 0x44495343u

enum trace_type {
    TRACE_WRITE = 1,          /* data.mdb at `offset`; on the disk some time, or never */
    TRACE_WRITE_SYNCED = 2,   /* the same through O_DSYNC: on the disk when it ended */
    TRACE_SYNC = 3,           /* fdatasync or fsync of data.mdb: all before is on the disk */
    TRACE_CUT = 4,            /* data.mdb has `offset` bytes */
    TRACE_SNAPSHOT = 5,       /* contents of snapshot.new, just synced */
    TRACE_SNAPSHOT_NAMED = 6, /* snapshot.new became snapshot; the name is on the disk with the next folder sync */
    TRACE_LEDGER_NAMED = 7,   /* the new ledger's folder got its name */
    TRACE_FOLDER_SYNC = 8,    /* a folder was synced */
    TRACE_ACK = 9             /* offset: last entry that somebody outside has been told of */
};

struct trace_head {
    uint32_t magic, type;
    uint64_t offset, size;
};

#endif
