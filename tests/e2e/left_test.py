"""Three real nodes whose charter sets off under each region's funds: what a window leaves is in the next, by hand and by the schedule."""
import os
import time

from network import PATIENCE_S, Network, check, done, patiently, uscc

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
SH, SD, GD = "310000", "370000", "440000"
CODES = (SH, SD, GD)
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
invoices = 0


def redeem(net, debtor, creditor, yuan):
    """The debtor's voucher at a provider of the creditor's; the provider."""
    global invoices
    invoices += 1
    holder, provider = uscc(11, invoices), uscc(12, invoices)
    net.enrol("holder", holder, debtor)
    key = net.enrol("provider", provider, creditor)
    patiently(lambda: [p for p in net.must("programme", "list", "--json", node=creditor, key=net.operator(creditor)).json["programmes"]
                       if p["issuer"] == int(debtor)])
    voucher = net.grant(debtor, 1, holder, 1000, debtor)
    net.mandate(holder, provider, voucher, 1000, debtor)
    rows = net.write(f"row{invoices}.csv", f"{HEADER}\n{voucher},{yuan},1000,2631200000{invoices:010d},1000,7,2026-09-01\n")
    assert net.must("submit", rows, "--json", node=creditor, key=key).json["accepted"] == 1
    return provider


def cut(net, node, *words):
    net.must("window", "cut", "--wait", *words, node=node, key=net.operator(node))


def window(net, number):
    """The window as all nodes have it; None when they differ."""
    seen = []

    def look():
        seen[:] = [net.must("window", str(number), "--json", node=c, key=net.operator(c)).json for c in CODES]
        return all("settlement_hash" in w for w in seen)
    patiently(look)
    return seen[0] if len({w["settlement_hash"] for w in seen}) == 1 else None


def fen(payments):
    return [(p["payer"], p["payee"], p["amount_fen"]) for p in payments]


with Network(CODES, directory=("--netting", "funds")) as net:
    net.start_all()
    for code in (SH, SD):
        net.programme(code, 1, code)
    redeem(net, SD, SH, 100)
    paid = redeem(net, SH, GD, 30)
    cut(net, GD)
    w = window(net, 1)
    check("with no funds nothing is paid, and what no cycle takes is left",
          fen(w["payments"]) == [] and fen(w["left"]) == [(SH, GD, 3000), (SD, SH, 10000)] and w["method"] == "funds", w)
    for who in ("maker", "checker"):
        net.must("account", "enter", "60", "CN-1", "--role", who, node=SD, key=net.operator(SD, who))
    redeem(net, SD, SH, 5)
    cut(net, SH)
    w = window(net, 2)
    check("what a region holds goes round as far as it reaches",
          fen(w["payments"]) == [(SD, "hub", 6000), ("hub", SH, 3000), ("hub", GD, 3000)] and fen(w["left"]) == [(SD, SH, 4500)] and
          [(f["node"], f["net_fen"]) for f in w["funds"]] == [(SD, 6000)], w)
    pair = next(p for p in w["pairs"] if p["debtor"] == SD)
    check("a pair says what of it earlier windows have left", pair["carried_fen"][0] == 10000 and pair["total_fen"][0] == 10500 and pair["count"] == 1, pair)
    shown = net.must("settle", "2", "--ledger", net.path(SH)).out
    check("people see what is left", "Left: still owed" in shown and "45.00" in shown, shown)
    methods = {m["method"]: m for m in net.must("settle", "preview", "2", "--ledger", net.path(SH), "--json").json["methods"]}
    check("a preview takes the funds that were stated", methods["funds"]["left_fen"] == 4500 and methods["funds"]["money_fen"] == 6000, methods)
    r = net.run("window", "cut", "--kind", "money", node=SH, key=net.operator(SH))
    check("a kind that is none is told", r.code == 2 and "--kind money" in r.err, r)
    cut(net, SH, "--kind", "model", "--kind", "3")
    w = window(net, 3)
    check("a window for some kinds leaves the others",
          w["kinds"] == [2, 3] and w["funds"] == [] and w["payments"] == [] and fen(w["left"]) == [(SD, SH, 4500)], w)

    for code in CODES:
        net.stop(code)
    audits = [net.run("audit", "--ledger", net.path(code), "--directory", net.directory) for code in CODES]
    check("the ledgers of all three pass the audit", all(a.code == 0 for a in audits), "\n".join(map(str, audits)))
    net.must("payout", "1", "--ledger", net.path(GD), "--out", net.path("payout1.csv"))
    check("a provider's payout is that of the window of its items", paid in net.read("payout1.csv"), net.read("payout1.csv"))
    r = net.run("payout", "2", "--ledger", net.path(SH), "--out", net.path("payout2.csv"), "--json")
    check("what is carried is paid to no provider a second time", r.code == 0 and "105.00" not in net.read("payout2.csv"), r)

if not os.path.exists(FAKETIME):
    print("# skip: the schedule: the package libfaketime is not installed")
    done()
    raise SystemExit
with Network(CODES, more_config='cutoffs: ["* * * * * compute"]\n') as net:
    file = net.write("faketime", "+0")
    os.environ.update(LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=file, FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1")
    net.start(SH)
    for name in ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE", "FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC"):
        del os.environ[name]
    net.start(SD)
    net.start(GD)
    net.programme(SD, 1, SD)
    redeem(net, SD, SH, 20)
    net.write("faketime", "+1m")  # at one node the next minute is there at once
    check("the schedule closes a window", patiently(lambda: net.must("status", "--json", node=SH, key=net.operator(SH)).json["open_window"] > 1))
    check("for its kinds, at every node", window(net, 1)["kinds"] == [1])
done()
