"""A ring of debts between three real nodes: the methods side by side before and after, and the list of breaks, which is empty."""
import time

from network import PATIENCE_S, Network, check, done, uscc

SH, SD, GD = "310000", "370000", "440000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"


def knows(net, node, issuer):
    """Wait until the node has heard of the issuer's programme."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        listed = net.must("programme", "list", "--json", node=node, key=net.operator(node)).json["programmes"]
        if any(p["issuer"] == int(issuer) for p in listed):
            return
    raise AssertionError(f"{node} hears nothing of the programme of {issuer}")


with Network((SH, SD, GD)) as net:
    net.start_all()
    operator = {"node": SD, "key": net.operator(SD)}
    r = net.run("settle", "preview", **operator)
    check("a window that is not final has no obligations to net yet, and that is said", r.code == 1 and "final" in r.err, r)
    for n, (debtor, creditor, yuan) in enumerate(((SH, SD, 100), (SD, GD, 80), (GD, SH, 70))):
        holder, provider = uscc(11, n), uscc(12, n)
        net.enrol("holder", holder, debtor)
        key = net.enrol("provider", provider, creditor)
        net.programme(debtor, 1, debtor)
        knows(net, creditor, debtor)
        voucher = net.grant(debtor, 1, holder, 1000, debtor)
        net.mandate(holder, provider, voucher, 1000, debtor)
        rows = net.write(f"ring{n}.csv", f"{HEADER}\n{voucher},{yuan},1000,2631200000{n + 1:010d},1000,7,2026-09-01\n")
        net.must("submit", rows, node=creditor, key=key)
    net.must("window", "cut", "--wait", **operator)

    methods = {m["method"]: m for m in net.must("settle", "preview", "1", "--json", **operator).json["methods"]}
    check("all four methods are shown for a final window", sorted(methods) == ["bilateral", "cycles", "gross", "hub"], methods)
    check("with what they clear, what money they need, and how often they pay",
          [(methods[m]["gross_fen"], methods[m]["cleared_fen"], methods[m]["money_fen"], methods[m]["payments"]) for m in ("gross", "hub", "cycles")] ==
          [(25000, 0, 25000, 3), (25000, 22000, 3000, 3), (25000, 21000, 4000, 2)], methods)
    hub = net.must("settle", "preview", "--method", "hub", "--json", **operator).json["methods"][0]["payment_list"]
    settled = net.must("settle", "1", "--json", **operator).json["payments"]
    check("the network's own method makes the payments that were settled",
          [(p["payer"], p["payee"], p["fen"]) for p in hub] == [(p["payer"], p["payee"], p["amount_fen"]) for p in settled], (hub, settled))
    r = net.run("settle", "preview", "--method", "funds", **operator)
    check("a method that needs funds is not offered where nobody says what they are", r.code == 2 and "--funds" in r.err, r)
    cash = net.write("cash.csv", f"participant,kind,yuan\n{SH},compute,10\n")
    methods = {m["method"]: m for m in net.must("settle", "preview", "1", "--funds", cash, "--json", **operator).json["methods"]}
    check("with what each has it stands beside the others, and says what is left", methods["funds"]["left_fen"] == 2000 and methods["funds"]["money_fen"] == 1000, methods)

    sd, checker = {"node": SD, "key": net.operator(SD)}, {"node": SD, "key": net.operator(SD, "checker")}
    r = net.run("cap", "set", SH, "150", "--role", "checker", **checker)
    check("a checker cannot begin", r.code == 1 and "SQ_R_NOT_ENTERED" in net.run("cap", "set", SH, "150", "--role", "checker", "--json", **checker).out, r)
    net.must("cap", "set", SH, "150", "--role", "maker", **sd)
    net.must("cap", "set", SH, "150", "--role", "checker", **checker)
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        caps = net.must("cap", "--json", node=SH, key=net.operator(SH)).json["caps"]
        if [c for c in caps if c["creditor"] == SD and c["set"]]:
            break
    holder, provider = uscc(13, 1), uscc(13, 2)
    net.enrol("holder", holder, SH)
    key = net.enrol("provider", provider, SD)
    voucher = net.grant(SH, 1, holder, 1000, SH)
    net.mandate(holder, provider, voucher, 1000, SH)
    rows = "".join(f"{voucher},50,1000,26312999{i:012d},1000,7,2026-09-01\n" for i in range(1, 5))
    r = net.run("submit", net.write("capped.csv", f"{HEADER}\n{rows}"), "--json", node=SD, key=key)
    check("the debtor's node cuts a batch where the creditor's cap is reached",
          r.code == 1 and r.json["accepted"] == 3 and r.json["refused"] == {"SQ_R_NET_DEBIT_CAP": 1}, r)
    caps = [c for c in net.must("cap", "--json", **sd).json["caps"] if c["debtor"] == SH]
    check("and the alarm is on", caps and caps[0]["alarm"] and caps[0]["used_fen"] == 15000, caps)

    r = net.must("break", "--all", "--json", **operator)
    check("no break is listed where both sides say the same", r.json["breaks"] == [], r)
    r = net.run("break", "take", SH, SD, **operator)
    check("nothing can be done about a break that is none", r.code == 1 and "no open break" in r.err, r)
    r = net.run("break", "explain", SH, SD, **operator)
    check("explaining without a reason is wrong usage", r.code == 2 and "--note" in r.err, r)
done()
