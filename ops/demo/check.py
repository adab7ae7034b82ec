#!/usr/bin/python3
"""Holds what the demonstration found against what was sent. Prints a line a check; exit 1 when one fails.

    check.py DIR BIN        also writes DIR/result.json
"""
import json
import subprocess
import sys

folder, bins = sys.argv[1:]
NODES = ["310000", "370000", "440000"]
failed = 0


def check(name, good, why=""):
    global failed
    print(f"  {'ok  ' if good else 'FAIL'} {name}{'' if good else ': ' + str(why)}")
    failed += not good


def read(*command):
    done = subprocess.run([f"{bins}/sanquan", *command, "--json"], stdout=subprocess.PIPE, text=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def ledger(node):
    return f"{folder}/ledger-{node}"


with open(f"{folder}/expected.json", encoding="utf-8") as f:
    expected = json.load(f)
with open(f"{folder}/hostile.json", encoding="utf-8") as f:
    hostile = json.load(f)
for reason, times in hostile["items"].items():
    expected["refused"][reason] = expected["refused"].get(reason, 0) + times
    expected["rows"] += times
refusals = {n: read("history", "--ledger", ledger(n), "--refusals")[1][0] for n in NODES}
items = {"acquired": 0, "refused": 0}
by_code = {}
for n in NODES:
    for line in read("history", "--ledger", ledger(n), "--all")[1]:
        if line.get("role") == "acquired":
            items["acquired"] += 1
            if line["state"] == "refused":
                items["refused"] += 1
                by_code[line["refusal_name"]] = by_code.get(line["refusal_name"], 0) + 1
check(f"all {expected['rows']} rows came to an end", items["acquired"] == expected["rows"] and all(r["items"]["waiting"] == 0 for r in refusals.values()), items)
check(f"{items['refused']} rows were refused for the {len(by_code)} reasons that they were made for", by_code == expected["refused"],
      {k: (expected["refused"].get(k, 0), by_code.get(k, 0)) for k in {*expected["refused"], *by_code} if expected["refused"].get(k) != by_code.get(k)})

home = refusals["310000"]
check(f"{sum(hostile['messages'].values())} messages were refused and journalled, for {len(hostile['messages'])} reasons", home["messages"] == hostile["messages"],
      (home["messages"], hostile["messages"]))
check(f"{sum(hostile['rejected'].values())} messages were turned away and written down, for {len(hostile['rejected'])} reasons",
      home["rejected"] == hostile["rejected"], (home["rejected"], hostile["rejected"]))

windows = {n: read("settle", "1", "--ledger", ledger(n))[1][0] for n in NODES}
one = windows[NODES[0]]
check("three nodes hold one settlement, byte for byte", len({w["settlement_hash"] for w in windows.values()}) == 1)
check("all three signed its certificate", all(sorted(w["signers"]) == NODES for w in windows.values()), {n: w["signers"] for n, w in windows.items()})
check("it is settled everywhere", all(w["state"] == "settled" for w in windows.values()), {n: w["state"] for n, w in windows.items()})
nets = {}
for p in one["nets"]:
    nets[p["kind"]] = nets.get(p["kind"], 0) + p["net_fen"]
check("nets of each kind sum to zero, and there are three kinds", set(nets) == {1, 2, 3} and not any(nets.values()), nets)
pairs = {(p["debtor"], p["creditor"], k + 1): fen for p in one["pairs"] for k, fen in enumerate(p["total_fen"]) if fen}
found = {}
for n in NODES:
    for line in read("history", "--ledger", ledger(n), "--window", "1", "--state", "accepted", "--all")[1]:
        if line.get("role") == "acquired" and line["debtor"] != line["creditor"]:
            key = (line["debtor"], line["creditor"], line["kind"])
            found[key] = found.get(key, 0) + (-line["amount_fen"] if line["verb"] == "return" else line["amount_fen"])
check("what pairs owe is what their items add up to", found == pairs, {k: (pairs.get(k), found.get(k)) for k in {*pairs, *found} if pairs.get(k) != found.get(k)})
held = {n: [] for n in NODES}
for jobs in ("jobs.txt", "later.txt"):
    with open(f"{folder}/{jobs}", encoding="utf-8") as f:
        for node, _, name in map(str.split, f):
            held[node].append(f"{folder}/redemptions/{name}.receipts")
audits = {n: read("audit", "--ledger", ledger(n), "--directory", f"{folder}/directory.yaml", *held[n]) for n in NODES}
check("three audits find nothing wrong", all(code == 0 and out[0]["verifies"] for code, out in audits.values()), audits)
receipts = sum(out[0].get("receipts", 0) for _, out in audits.values())
check(f"all {receipts} receipts that providers hold are of these ledgers", receipts >= 40, receipts)
with open(f"{folder}/result.json", "w", encoding="utf-8") as f:
    json.dump({"failed": failed, "rows": items["acquired"], "refused": by_code, "settlement_hash": one["settlement_hash"], "pairs": one["pairs"],
               "nets": one["nets"], "payments": one["payments"], "roots": {n: out[0].get("root") for n, (_, out) in audits.items()}}, f, indent=1)
sys.exit(failed != 0)
