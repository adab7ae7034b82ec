#!/usr/bin/python3
"""Known bugs, one at a time: the simulator must find each, and by the check that is meant for it.

A canary changes one place of one source file. The changed file is compiled beside the others (build/VARIANT/canaries), linked in place of the
right one, and the simulator runs until it complains. Shipped sources hold no trace of this. When a place is not found any more, the
canary has to follow the source; a simulator that finds nothing has lost a check.

    make sim-canaries [CANARY=name]
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import time

SEEDS_MAX = 124

# name, what it is, file, right, wrong, faults, what the simulator says
CANARIES = [
    ("unkept-message", "some messages to peers are sent without being kept", "ops/daemon/commit.c",
     "g->outbox[c.outbox_count++] = (struct sq_outbox_put){o->to, o->id, o->envelope};",
     "if (o->id % 7 != 0)\n                g->outbox[c.outbox_count++] = (struct sq_outbox_put){o->to, o->id, o->envelope};",
     "crash", "which is not in its outbox"),
    ("early-delete", "an acknowledgement clears one message too many out of the outbox", "clearing/ledger/append.c",
     "sq_get_be64((const uint8_t *)k.mv_data + 4) <= ack->number)", "sq_get_be64((const uint8_t *)k.mv_data + 4) <= ack->number + 1)",
     "loss,crash", "not in its outbox|undelivered|does not start|refused"),
    ("sent-is-enough", "what was sent counts as acknowledged", "peers/outbox.c",
     "    o->sent = number;\n    if (o->resend_at_ms == 0)", "    o->sent = o->acked = number;\n    if (o->resend_at_ms == 0)",
     "loss", "still unanswered or undelivered|after a quorum was mended"),
    ("early-ack", "a peer's message is acknowledged before it is durable", "ops/daemon/front.c",
     "        if (fx.append)\n            d->filling->peer_heard[node] = 1;",
     "        if (fx.append) {\n            d->filling->peer_heard[node] = 1;\n            d->peers[node].durable_in = e->id;\n            sq_streams_ack(d, node);\n        }",
     "crash", "still unanswered or undelivered|messages to|not in its outbox|stops by itself|after a quorum was mended"),
    ("answer-not-kept", "some answers are not kept for repeats", "ops/daemon/commit.c",
     "struct sq_answer_put *a = &g->answers[c.answer_count++];",
     "struct sq_answer_put *a = &g->answers[c.answer_count];\n            c.answer_count += o->id % 3 != 0;",
     "loss", "still unanswered or undelivered|does not pass the audit"),
    ("wrong-receipt", "a receipt proves the entry before", "ops/daemon/commit.c",
     "st = sq_ledger_leaf(d->ledger, seq, leaf, err);", "st = sq_ledger_leaf(d->ledger, seq > 50 ? seq - 1 : seq, leaf, err);",
     "duplicate", "receipt of"),
    ("decided-twice", "a request that comes again is decided again", "clearing/core/core.c",
     "*is_next = s->id == p->last_id + 1;", "*is_next = s->id == p->last_id + 1 || (s->id == p->last_id && s->id % 4 == 3);",
     "duplicate", "in two entries|answered twice|entry"),
    ("rewritten-leaf", "a commit changes a leaf that was there", "clearing/ledger/append.c",
     "    sq_tree_leaf_hash(sq_bytes_of(leaf, sizeof leaf), leaf_hash);",
     "    if (e->seq % 40 == 0) {\n        sq_put_be64(key, e->seq - 20);\n        st = put(txn, l->leaf, key, sizeof key, leaf, sizeof leaf, 0, \"\", err);\n    }\n"
     "    sq_tree_leaf_hash(sq_bytes_of(leaf, sizeof leaf), leaf_hash);",
     "crash", "which is gone|does not have the hash of its leaf record"),
    ("rewritten-tile", "one hash of the tree changes when its tile is stored", "clearing/ledger/tiles.c",
     "        int rc = mdb_put(txn, l->tile, &k, &v, 0);\n",
     "        e->hash[level][3][0] ^= 1;\n        int rc = mdb_put(txn, l->tile, &k, &v, 0);\n        e->hash[level][3][0] ^= 1;\n",
     "loss", "is not the one it was|does not verify"),
    ("two-writers", "a ledger in use is opened again", "clearing/ledger/ledger.c",
     "if (fcntl(l->lock_fd, F_OFD_SETLK, &whole) != 0)", "if (0 && fcntl(l->lock_fd, F_OFD_SETLK, &whole) != 0)",
     "crash", "a second writer is let in"),
    ("overdrawn-voucher", "a voucher's reservations are not counted", "clearing/core/check.c",
     "k->face_fen, w->reserved_fen + w->spent_fen, SQ_R_VOUCHER_OVERDRAWN", "k->face_fen, w->spent_fen, SQ_R_VOUCHER_OVERDRAWN",
     "loss", "entry \\d+"),
    ("overdrawn-pool", "a programme's reservations are not counted", "clearing/core/check.c",
     "p->pool_fen, p->reserved_fen + p->spent_fen, SQ_R_POOL_EXHAUSTED", "p->pool_fen, p->spent_fen, SQ_R_POOL_EXHAUSTED",
     "loss", "entry \\d+"),
    ("overdrawn-invoice", "what others have claimed on an invoice is not counted", "clearing/core/invoice.c",
     "return s.amounts * WHOLE_BP > (__int128)row->total_fen * limit ?", "return (__int128)c->amount_fen * WHOLE_BP > (__int128)row->total_fen * limit ?",
     "hostile client", "entry \\d+"),
    ("unbalanced-budget", "some spending is not booked on the programme", "clearing/core/decide.c",
     "t->programme->spent_fen += spent;", "t->programme->spent_fen += spent - (spent % 16 == 1);",
     "loss", "the items come to"),
    ("unbalanced-voucher", "some spending is not booked on the voucher", "clearing/core/decide.c",
     "t->voucher->spent_fen += spent;", "t->voucher->spent_fen += spent - (spent % 16 == 1);",
     "loss", "the items come to|entry \\d+"),
    ("two-sums", "what a debtor folds into its link is not what it owes", "clearing/settlement/links.c",
     "    next.number = now->number + 1;", "    next.number = now->number + 1;\n    next.total_fen[0] += next.total_fen[0] % 16 == 1;",
     "loss", "items come to|links?|entry \\d+"),
    ("item-in-two-windows", "a settlement leaves the last item of a link to the next", "clearing/settlement/windows.c",
     "    l->settled.number = pair->last;", "    l->settled.number = pair->last - (pair->last > 3 && pair->count > 1);",
     "loss", "window|settle"),
    ("net-of-a-fen", "a settlement's nets are a fen off", "clearing/settlement/content.c",
     "            out->net_fen = fen;", "            out->net_fen = fen + (fen > 5000);",
     "loss", "its pairs come to"),
    ("unpaid-net", "a settlement leaves out a payment", "clearing/settlement/content.c",
     "    p->settlement.n_payments = net->payment_count;", "    p->settlement.n_payments = net->payment_count - (net->payment_count > 2);",
     "loss", "its payments to"),
    ("small-quorum", "half of the nodes decide", "clearing/settlement/agreement.c",
     "return node_count * 2 / 3 + 1;", "return node_count / 2;",
     "lie,partition", "another settlement than the first|refused|do not close alike|became final with"),
    ("votes-not-told-on", "what one node was told alone is not told on", "clearing/settlement/windows.c",
     "    st = sq_relay_begin(s, w, now_ms, h->fx, h->err);", "    st = SQ_OK;",
     "lie", "do not close alike"),
    ("all-or-nothing", "a settlement needs the votes of all nodes", "clearing/settlement/agreement.c",
     "return node_count * 2 / 3 + 1;", "return node_count;",
     "loss", "after a quorum was mended"),
    ("forgotten-by-snapshot", "a snapshot forgets what was received", "clearing/core/life.c",
     "    sq_dump_put(d, &core->totals, sizeof core->totals);",
     "    struct sq_core_totals none = core->totals;\n    none.items_received = 0;\n    sq_dump_put(d, &none, sizeof none);",
     "crash", "items accepted of"),
    ("released-too-late", "a reservation is not given back when its voucher's use is released", "clearing/core/decide.c",
     "t->voucher->reserved_fen += reserved;", "t->voucher->reserved_fen += reserved > 0 ? reserved : reserved / 2;",
     "loss", "the items come to|entry \\d+"),
    ("guessed-release", "an issuer lets go of a part of a bundle when its time is over", "clearing/core/reservations.c",
     "if (r->p.amount_fen != 0 && !sq_is_part(r->number))", "if (r->p.amount_fen != 0)",
     "delay,partition", "the items come to|entry \\d+"),
    ("returned-twice", "a return that is under way is not counted against the next", "clearing/core/invoice.c",
     "unsigned sq_invoice_begin_return(struct sq_invoices *r, const struct sq_invoice_claim *c)\n{", "unsigned sq_invoice_begin_return(struct sq_invoices *r, const struct sq_invoice_claim *c)\n{\n    if (c->amount_fen % 8 == 3)\n        return SQ_OK;",
     "delay", "entry \\d+|registered"),
    ("returned-too-early", "what is not decided yet can be returned", "clearing/core/waiting.c",
     "int sq_waiting_claims(const struct sq_core *core, uint32_t provider, const uint8_t invoice[static SQ_INVOICE_CELL])\n{", "int sq_waiting_claims(const struct sq_core *core, uint32_t provider, const uint8_t invoice[static SQ_INVOICE_CELL])\n{\n    if (provider != SQ_ROW_NONE)\n        return 0;",
     "delay", "entry \\d+|registered"),
    ("clock-goes-back", "time goes back with the wall clock", "ops/common/clock.c",
     "    if (wall_ms >= c->now_ms) {", "    if (wall_ms != 0) {",
     "clock,loss", "still unanswered|do not close alike|turns and turns|after a quorum was mended"),
    ("old-copy-serves", "a node does not care what its peers remember", "ops/daemon/recall.c",
     "    if (m->last_id <= own)\n        return SQ_OK;", "    if (m->last_id <= own || own != 0)\n        return SQ_OK;",
     "old copy", "old copy"),
    ("claims-believed", "a number that a peer claims, and does not show, stops a node", "ops/daemon/recall.c",
     "    if (!is_ours(d, node, m->last, &shown) || shown <= own) {", "    if (!is_ours(d, node, m->last, &shown) && (shown = m->last_id) <= own) {",
     "lie", "stops by itself"),
    ("forged-claim", "any message that a peer shows is taken for one of the node's own", "ops/daemon/recall.c",
     "sq_message_check_shown(&e, m->body_hash.data, sq_directory_network_id(d->directory), self->key, NULL) != SQ_OK)", "m->body_hash.len == 0)",
     "lie", "stops by itself"),
    ("told-too-early", "questions are answered with what is not durable yet", "ops/daemon/questions.c",
     "    struct sq_group *g = newest_pending(d);", "    struct sq_group *g = d->now_ms == 0 ? newest_pending(d) : NULL;",
     "slow disk", "are durable"),
    ("told-otherwise", "a programme's answer is a fen off", "ops/daemon/query.c",
     "put_fen(p, \"spent_fen\", v.spent_fen);", "put_fen(p, \"spent_fen\", v.spent_fen + (v.spent_fen > 0));",
     "loss", "tells of programme"),
    ("forged-sender", "signatures of peers' messages are not looked at", "ops/daemon/front.c",
     "    if (st != SQ_OK)\n        return sq_reject(d, a, &e, st, why.text, err);\n    if ((st = keep_route", "    if ((st = keep_route",
     "hostile client", "refused|entry \\d+|VIOLATION|never asked|answered"),
    ("other-content", "another request under a used id gets the first one's answer", "ops/daemon/front.c",
     "    if (memcmp(name, kept.request, SQ_HASH_SIZE) != 0)\n        return sq_reject", "    if (kept.seq == 0)\n        return sq_reject",
     "hostile client", "used \\d+ ids again"),
    ("chance", "something of the process gets into what is signed", "ops/daemon/commit.c",
     "struct sq_header h = {type, d->keys->name, receiver, id, now_ms};",
     "static unsigned calls;\n    struct sq_header h = {type, d->keys->name, receiver, id, now_ms + (calls++ > 2000)};",
     "loss", "went two ways"),
]


def build(arguments, canary, folder):
    name, _, path, right, wrong, _, _ = canary
    source = open(path, encoding="utf-8").read()
    places = re.findall(r"\s+".join(re.escape(word) for word in right.split()), source)  # however it is laid out
    if len(places) != 1:
        return f"its place in {path} is found {len(places)} times: the source has changed, and the canary has to follow"
    changed, program = f"{folder}/{name}.c", f"{folder}/{name}"
    with open(changed, "w", encoding="utf-8") as out:
        out.write(source.replace(places[0], wrong.strip() if right == right.strip() else wrong))
    objects = [o for o in arguments.objects if o != f"{arguments.build}/{path[:-2]}.o"]
    command = [*shlex.split(arguments.cc), "-w", "-o", program, changed, *objects, arguments.lib, *shlex.split(arguments.libs)]
    command = [c for c in command if c != "-Werror"]
    made = subprocess.run(command, capture_output=True, text=True)
    return "" if made.returncode == 0 else made.stderr[-2000:]


def fly(arguments, canary, folder):
    """The first complaint, and how many seeds it took; or None."""
    name, faults = canary[0], canary[5]
    done, step = 0, 4
    while done < SEEDS_MAX:
        ran = subprocess.run([f"{folder}/{name}", "--seeds", str(step), "--seed", str(done + 1), "--faults", faults] + ([] if name == "chance" else ["--once"]),
                             capture_output=True, text=True, timeout=1200)
        done += step
        if ran.returncode != 0:
            found = re.findall(r"^  seed (\d+): (.*)$", ran.stdout, re.M)
            return (found[0] if found else ("?", ran.stderr[-300:])), done
        step *= 2
    return None, done


def main():
    parser = argparse.ArgumentParser()
    for option in ("--build", "--cc", "--lib", "--libs"):
        parser.add_argument(option, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("objects", nargs="+")
    arguments = parser.parse_args()
    folder = f"{arguments.build}/canaries"
    os.makedirs(folder, exist_ok=True)
    bad, flown = 0, [c for c in CANARIES if arguments.only in c[0]]
    for canary in flown:
        name, what, expected = canary[0], canary[1], canary[6]
        began = time.monotonic()
        why = build(arguments, canary, folder)
        if why == "":
            found, seeds = fly(arguments, canary, folder)
            if found is None:
                why = f"not found in {seeds} seeds"
            elif not re.search(expected, found[1]):
                why = f"seed {found[0]} found something else than expected: {found[1]}"
        if os.path.exists(f"{folder}/{name}"):
            os.remove(f"{folder}/{name}")
        bad += why != ""
        if why:
            print(f"not ok - {name}: {what}\n    {why}")
        else:
            print(f"ok - {name}: {what}\n    seed {found[0]}, {time.monotonic() - began:.0f} s: {found[1]}")
        sys.stdout.flush()
    print(f"{len(flown) - bad} of {len(flown)} canaries found")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
