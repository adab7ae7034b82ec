"""Four real nodes suspend a region, and find that it has not paid: with the command line, two people at each node."""

from network import Network, check, done, patiently, uscc

SH, SD, GD, CQ = "310000", "370000", "440000", "500000"
CODES = (SH, SD, GD, CQ)
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
invoices = 0


def standing(net, node, region):
    regions = net.must("region", "--json", node=node, key=net.operator(node)).json["regions"]
    return next(r for r in regions if r["region"] == region)


def want(net, nodes, *words):
    for node in nodes:
        for who in ("maker", "checker"):
            net.must("region", "want", *words, "--reason", "resolution 7", "--role", who, node=node, key=net.operator(node, who))


def redeem(net, debtor, creditor, yuan):
    """The debtor's voucher at a provider of the creditor's; the result of submit."""
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
    return net.run("submit", rows, "--json", node=creditor, key=key)


def cut(net, node):
    net.must("window", "cut", "--wait", node=node, key=net.operator(node))


with Network(CODES) as net:
    net.start_all()
    net.programme(SD, 1, SD)
    net.programme(SH, 1, SH)
    check("a region that is active does business", redeem(net, SD, SH, 100).json["accepted"] == 1 and redeem(net, SD, GD, 50).json["accepted"] == 1)
    cut(net, SH)

    want(net, (SH, GD), SD, "suspended")
    patiently(lambda: standing(net, CQ, SD)["wanted_by"] == 2)
    cut(net, SH)
    check("two nodes of four change nothing", standing(net, CQ, SD)["standing"] == "active" and standing(net, CQ, SD)["wanted_by"] == 2)
    want(net, (CQ,), SD, "suspended")
    check("all hear what each wants", patiently(lambda: all(standing(net, n, SD)["wanted_by"] == 3 for n in CODES)))
    cut(net, SH)
    check("three do, with the next window, at every node", patiently(lambda: all(standing(net, n, SD)["standing"] == "suspended" for n in CODES)))
    r = redeem(net, SD, SH, 10)
    check("it owes nothing new", r.code == 1 and r.json["refused"] == {"SQ_R_REGION_STANDING": 1}, r)
    check("and is still owed", redeem(net, SH, SD, 10).json["accepted"] == 1)
    r = net.run("region", "want", SD, "enrolled", "--reason", "x", "--role", "maker", node=SH, key=net.operator(SH))
    check("what it cannot become is refused", r.code == 1 and "cannot become" in r.err, r)

    want(net, (SH, GD, CQ), SD, "defaulted", "--unpaid", "1")
    patiently(lambda: all(standing(net, n, SD)["wanted_by"] == 3 for n in CODES))
    cut(net, SH)
    values = [net.must("window", "4", "--json", node=n, key=net.operator(n)).json for n in CODES]
    losses = [(p["payer"], p["payee"], p["amount_fen"]) for p in values[0]["losses"]]
    check("who was owed pays in proportion for what was not paid", losses == [(SH, "hub", 10000), (GD, "hub", 5000)], values[0])
    check("every node has the same settlement", len({v["settlement_hash"] for v in values}) == 1, values)
    check("the first window is defaulted at the region's own node",
          net.must("window", "1", "--json", node=SD, key=net.operator(SD)).json["state"] == "defaulted")
    for who in ("maker", "checker"):
        net.must("confirm", "4", "--role", who, "--yes", node=SH, key=net.operator(SH, who))
    check("a survivor's share is confirmed like any payment", net.must("window", "4", "--json", node=SH, key=net.operator(SH)).json["state"] == "settled")
    for who in ("maker", "checker"):
        net.must("account", "enter", "5000", "CN-17", "--role", who, node=CQ, key=net.operator(CQ, who))
    kinds = net.must("account", "--json", node=CQ, key=net.operator(CQ)).json["kinds"]
    check("two operators pay into their region's settlement account", kinds[0]["balance_fen"] == 500000 and kinds[1]["balance_fen"] == 0, kinds)
    r = net.run("account", "enter", "5000.01", "CN-18", "--out", "--role", "maker", node=CQ, key=net.operator(CQ))
    check("more than it holds is not taken out", r.code == 1 and "more than the account can give" in r.err, r)
    shown = net.must("account", node=SH, key=net.operator(SH)).out
    check("what a survivor paid has left its account", "-100.00" in shown, shown)

    for code in CODES:
        net.stop(code)
    audits = [net.run("audit", "--ledger", net.path(code), "--directory", net.directory) for code in CODES]
    check("the ledgers of all four pass the audit", all(a.code == 0 for a in audits), "\n".join(map(str, audits)))
done()
