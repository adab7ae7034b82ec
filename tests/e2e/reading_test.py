"""sanquan history and settle: what a regulator reads of real ledgers and real nodes, while they work and after."""
import json
import os
import shutil

from network import Network, check, done, uscc

NODES = ("310000", "370000", "440000")
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
PROVIDER = {n: uscc(int(n[:2]), 1) for n in NODES}
HOLDER = {n: uscc(int(n[:2]), 2) for n in NODES}


def lines(r):
    return [json.loads(line) for line in r.out.splitlines()]


def business(net):
    """Each region's provider redeems from the next region's voucher, more from region to region; Shanghai's also at home, and twice too much."""
    vouchers = {}
    for node in NODES:
        net.enrol("provider", PROVIDER[node], node)
        net.enrol("holder", HOLDER[node], node)
        net.programme(node, 1, node)
        vouchers[node] = net.grant(node, 1, HOLDER[node], 10000, node)
        for other in NODES:
            net.mandate(HOLDER[node], PROVIDER[other], vouchers[node], 9000, node)
    for i, node in enumerate(NODES):
        issuer = NODES[(i + 1) % 3]
        rows = [f"{vouchers[issuer]},{10 * (i + 1)},{100 * (i + 1)},26{node[:2]}2{k:015d},{100 * (i + 1)},rent,2026-01-05" for k in range(1, 6)]
        if node == "310000":
            rows += [f"{vouchers[node]},5,50,26312{k:015d},50,rent,2026-01-05" for k in (11, 12)]
            rows += [f"{vouchers[node]},40,50,26312{k:015d},50,rent,2026-01-05" for k in (13, 14)]
        r = net.run("submit", net.write(f"{node}.csv", "\n".join([HEADER, *rows]) + "\n"), "--json", node=node, key=net.key(f"provider:{PROVIDER[node]}"))
        assert r.code in (0, 1), r
    net.must("window", "cut", "--wait", node="310000", key=net.operator("310000"))
    for node in NODES:
        while net.must("window", 1, "--json", node=node, key=net.key("regulator:mof")).json["final_ms"] == 0:
            pass
        net.must("confirm", 1, "--role", "maker", "--yes", node=node, key=net.operator(node))
        net.must("confirm", 1, "--role", "checker", "--yes", node=node, key=net.operator(node, "checker"))
    return vouchers


def items(net, vouchers):
    ledger = ("history", "--ledger", net.path("310000"))
    every = net.run(*ledger, "--json")
    told = lines(every)
    check("items are read while the node works, the totals last", every.code == 0 and "totals" in told[-1] and len(told) == 14 + 1, every)
    totals = told[-1]["totals"]
    check("totals are those of the items", totals["items"] == 14 and totals["accepted"] == 12 and totals["refused"] == 2 and
          totals["accepted_fen"] == 5 * 1000 + 2 * 500 + 5 * 3000 and totals["refused_by_code"] == {"SQ_R_RATE_EXCEEDED": 2}, totals)
    cases = {
        "--provider": ((PROVIDER["310000"],), 9), "--holder": ((HOLDER["310000"],), 9), "--window": (("1",), 14), "--state": (("accepted",), 12), "--invoice": (("26312000000000000011",), 1),
        "--refused": ((), 2), "--refusal": (("SQ_R_RATE_EXCEEDED",), 2), "--debtor": (("370000",), 5), "--region": (("440000",), 5), "--programme": (("310000/1",), 9),
        "--kind": (("compute",), 14), "--least": (("30.00",), 7), "--most": (("5",), 2), "--from": (("2026-01-01",), 14), "--to": (("2026-01-01",), 0),
    }
    for option, (value, count) in cases.items():
        r = net.run(*ledger, option, *value, "--json")
        check(f"{option} takes {count} of them", r.code == 0 and lines(r)[-1]["totals"]["items"] == count == len(lines(r)) - 1, r)
    batch = next(i["batch"] for i in told if i.get("role") == "acquired")
    check("--batch takes one batch", lines(net.run(*ledger, "--batch", batch, "--json"))[-1]["totals"]["items"] == 9)
    few = net.run(*ledger, "--max", 3)
    check("--max lists some, and says how to go on", "3 items" in few.out and "--after " in few.out, few)
    sums = net.run(*ledger, "--sums", "--json")
    check("--sums counts all", "14 items" in net.run(*ledger, "--sums").out and lines(sums)[0]["totals"] == totals, sums)
    pages(net, ledger, told[:-1])
    check("a wrong number is a mistake, with the reason", net.run(*ledger, "--invoice", "123").code == 2 and net.run(*ledger, "--provider", "X").code == 2)
    check("a ledger that is not there is said to be so", net.run("history", "--ledger", net.path("none")).code == 5)


def pages(net, ledger, told):
    """The same items page by page, in both orders, as CSV, with proofs, and asked of the node."""
    def of_ledger(*options):
        return net.run(*ledger, *options)

    def of_node(*options, who="regulator:mof"):
        return net.run("history", *options, node="310000", key=net.key(who))

    for name, read in (("a ledger", of_ledger), ("a node", of_node)):
        paged, after = [], ()
        for _ in range(14):
            page = lines(read("--max", 4, *after, "--json"))
            paged += page[:-1]
            if "after" not in page[-1]:
                break
            after = ("--after", page[-1]["after"])
        check(f"pages of {name} are the whole list, each item once", paged == told, paged)
        newest = lines(read("--order", "newest", "--all", "--json"))[:-1]
        check(f"{name} lists the newest first", newest == told[::-1], newest)
        proven = read("--proofs", "--json")
        check(f"proofs of {name} verify", proven.code == 0 and lines(proven)[-1]["proven_entries"] >= 2 and lines(proven)[:-1] == told, proven)
        table = read("--csv").out.splitlines()
        check(f"{name} gives a table", len(table) == 15 and table[0].startswith("seq,row,role,state,") and
              [row.split(",")[:2] for row in table[1:]] == [[str(i["seq"]), str(i["row"])] for i in told], table)
    check("for people a ledger and a node show the same page", of_ledger().out == of_node().out != "")
    check("refusals of items are the same from both", of_ledger("--refusals", "--json").json["items"] == of_node("--refusals", "--json").json["items"])
    seen = lines(of_node("--json", who=f"provider:{PROVIDER['310000']}"))[:-1]
    check("a provider sees its own items only", len(seen) == 9 and {i["provider"] for i in seen} == {PROVIDER["310000"]}, seen)


def life(net, vouchers):
    ledger = ("history", "--ledger", net.path("310000"), "--voucher", vouchers["310000"])
    told = lines(net.run(*ledger, "--json"))
    events = [e.get("event") for e in told[:-1]]
    check("a voucher's life is told from grant to settlement, in order", events[0] == "granted" and events[1:4] == ["mandated"] * 3 and
          events[-4:] == ["cut", "final", "instructed", "settled"] and events.count("item") == 9 and [e["seq"] for e in told[:-1]] == sorted(e["seq"] for e in told[:-1]),
          events)
    across = [e for e in told if e.get("event") == "item" and e["creditor"] == "440000"]
    check("what another region's provider drew has its link and window", len(across) == 5 and all(e["link"] >= 1 and e["window"] == 1 for e in across), across)
    check("refusals stand where they happened", sum(e.get("refusal_name") == "SQ_R_RATE_EXCEEDED" for e in told) == 2)
    asked = lines(net.run("history", "--voucher", vouchers["310000"], "--json", node="310000", key=net.key("regulator:mof")))
    check("a node tells the same life, of its windows what it knows", [e for e in asked if e.get("event") not in ("cut", "final", "instructed", "settled")] ==
          [e for e in told if e.get("event") not in ("cut", "final", "instructed", "settled")] and
          [e["event"] for e in asked if e.get("event") in ("cut", "final", "settled")] == ["cut", "final", "settled"], asked)
    text = net.run(*ledger)
    check("for people it is a page", text.code == 0 and "face 10,000.00, spent 160.00" in text.out and "is settled; 160.00 yuan" in text.out, text)
    check("a voucher that is nowhere is not found", net.run("history", "--ledger", net.path("310000"), "--voucher", "3100000001000000999").code != 0)


def settlement(net):
    of_ledger = {n: net.must("settle", 1, "--ledger", net.path(n), "--json").json for n in NODES}
    of_node = {n: net.must("settle", "--json", node=n, key=net.key("regulator:mof")).json for n in NODES}
    same = ("window", "state", "settlement_hash", "method", "pairs", "nets", "payments")
    check("a node and its ledger say the same of a window, and so do all nodes", all(of_node[n][k] == of_ledger["310000"][k] == of_ledger[n][k] for n in NODES for k in same),
          (of_node, of_ledger))
    one = of_ledger["310000"]
    check("the method is told by its own name", one["method"] == "cycles", one["method"])
    check("pairs are what was drawn", {(p["debtor"], p["creditor"]): p["total_fen"][0] for p in one["pairs"]} ==
          {("370000", "310000"): 5000, ("440000", "370000"): 10000, ("310000", "440000"): 15000}, one["pairs"])
    check("nets and payments follow", {p["node"]: p["net_fen"] for p in one["nets"]} == {"310000": -10000, "370000": 5000, "440000": 5000} and
          sum(p["amount_fen"] for p in one["payments"]) == 15000, one)
    check("a region's own business is shown beside, and not netted", one["local"]["count"] == 2 and one["local"]["total_fen"][0] == 1000, one["local"])
    check("all three signed", sorted(one["signers"]) == list(NODES), one["signers"])
    text = net.must("settle", "--ledger", net.path("310000")).out
    check("for people it is a page", all(w in text for w in ("Window 1: settled", "certificate signed by ", "150.00", "-100.00", "Payments")), text)
    check("positions are the same from history", net.must("history", "--ledger", net.path("310000"), "--positions", 1, "--json").json == one)
    check("a window that is not there yet is not found", net.run("settle", 9, "--ledger", net.path("310000")).code != 0)
    asked = net.run("settle", 1, node="310000", key=net.key(f"provider:{PROVIDER['310000']}"))
    check("a provider may not ask a node for it", asked.code == 1, asked)


def index(net):
    """On the copy; a file holds a million rows, so a small ledger has none, which is still checked, dropped and built."""
    built = net.run("index", "--ledger", net.path("copy"), "--json")
    check("an index is built", built.code == 0 and built.json["ledger_entries"] > 20, built)
    check("and checked", net.run("index", "--ledger", net.path("copy"), "--check", "--json").json == built.json)
    check("dropped", net.run("index", "--ledger", net.path("copy"), "--drop").code == 0 and os.listdir(net.path("copy/history")) == ["writer.lock"])
    check("and built again", net.run("index", "--ledger", net.path("copy"), "--rebuild", "--json").json == built.json)
    net.write("copy/history/0000000000000001.run", "not a run")
    check("what is no file of this ledger is not used", net.run("index", "--ledger", net.path("copy"), "--check", "--json").json == built.json)
    check("and goes when the index is built", net.run("index", "--ledger", net.path("copy")).code == 0 and os.listdir(net.path("copy/history")) == ["writer.lock"])
    check("one thing at a time", net.run("index", "--ledger", net.path("copy"), "--drop", "--check").code == 2)
    kept = net.run("index", "--ledger", net.path("370000"))
    check("a running node keeps its own", kept.code == 5 and "another process" in kept.err, kept)


def copy(net):
    net.stop("310000")
    os.mkdir(net.path("copy"))
    shutil.copy(os.path.join(net.path("310000"), "data.mdb"), net.path("copy"))
    whole, half = (net.run("history", "--ledger", net.path(name), "--json") for name in ("310000", "copy"))
    index(net)
    check("a copy of data.mdb alone reads the same", half.code == 0 and half.out == whole.out, half)


with Network(NODES) as net:
    made = net.read("directory.yaml").replace("netting: hub", "netting: cycles")
    assert "netting: cycles" in made
    net.write("directory.yaml", made)
    for code in NODES:  # another directory is another network: new ledgers
        shutil.rmtree(net.path(code))
        net.must("init", "--config", net.path(f"{code}.yaml"))
    net.start_all()
    vouchers = business(net)
    items(net, vouchers)
    life(net, vouchers)
    settlement(net)
    copy(net)
done()
