"""Payment by outcome with the command line: an evaluator with keys of its own, a baseline, stages set free, and a grade that takes back across regions."""

from network import Network, check, done, patiently, uscc

SH, SD = "310000", "370000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
HOLDER, AWAY, EVALUATOR = uscc(31, 1), uscc(37, 2), uscc(11, 3)
REPORT = "5e" * 32
PROGRAMME = """issuer: "310000"
number: 1
version: 1
kind: compute
title: 算力券
from: 2025-01-01
rate: 100%
base: contract
stages:
  - {share: 50%}
  - {share: 30%, trigger: metric, metric: 7, better: less, change: 20%}
  - {share: 20%, trigger: grade}
verdicts: [{grade: 1, action: release}, {grade: 2, action: stop}, {grade: 3, action: take_back, back: 100%}]
evaluators: 1003
"""
invoices = 0


with Network((SH, SD)) as net:
    net.start_all()
    issuer = net.key(f"issuer:{SH}")
    net.must("programme", "publish", net.write("programme.yaml", PROGRAMME), node=SH, key=issuer)
    net.enrol("holder", HOLDER, SH)
    provider = net.enrol("provider", AWAY, SD)
    evaluator = net.enrol("evaluator", EVALUATOR, SH)
    shown = net.must("key", "show", evaluator, "--json").json
    check("an evaluator has keys and is enrolled like the others", shown["name"] == f"evaluator:{EVALUATOR}", shown)
    r = net.run("keygen", "evaluator:123", "--out", net.path("x.key"))
    check("by a valid code", r.code == 2 and "18" in r.err, r)
    voucher = net.grant(SH, 1, HOLDER, 1000, SH)
    net.mandate(HOLDER, AWAY, voucher, 1000, SH)
    patiently(lambda: net.must("programme", "list", "--json", node=SD, key=net.operator(SD)).json["programmes"])

    def redeem(yuan):
        global invoices
        invoices += 1
        path = net.write(f"rows{invoices}.csv", f"{HEADER}\n{voucher},{yuan},1000,2637200000{invoices:010d},1000,7,2026-09-01\n")
        r = net.run("submit", path, "--json", node=SD, key=provider).json
        return "accepted" if r["accepted"] else next(iter(r["refused"]))

    def state():
        v = net.must("voucher", voucher, "--json", node=SH, key=issuer).json
        return v["free_fen"], v["stages_free"], v["spent_fen"], v["stopped"], v["back_fen"], v["state"]

    def measure(*what, key=evaluator):
        return net.run("measure", voucher, "--day", "2026-09-01", "--evidence", REPORT, *what, "--json", node=SH, key=key)

    begun = (50000, [1], 0, False, 0, "active")
    check("half of the face is free from the grant on", state() == begun, state())
    check("more is refused", redeem("500.01") == "SQ_R_STAGE_NOT_FREE" and redeem(400) == "accepted")
    begun = (50000, [1], 40000, False, 0, "active")

    r = measure("--baseline", "--metric", "7", "--value", "1000")
    check("an evaluator that is on no list measures nothing", r.code == 1 and r.json["error"]["status"] == "SQ_R_EVALUATOR" and state() == begun, r)
    net.must("org", "facts", net.write("list.csv", f"org,attribute,value,from_day\n{EVALUATOR},1003,1,2026-01-01\n"), node=SH, key=issuer)
    r = measure("--baseline", "--metric", "7", "--value", "1000", key=issuer)
    check("nor does anybody else", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED", r)
    r = measure("--stage", "2", "--metric", "7", "--value", "800")
    check("a change is held against a baseline", r.code == 1 and r.json["error"]["status"] == "SQ_R_BASELINE" and state() == begun, r)
    r = measure("--baseline", "--metric", "7", "--value", "1000", "--note", "meter 12")
    check("the baseline is taken", r.code == 0 and r.json == {"voucher": voucher, "stage": 0, "back_fen": 0}, r)
    r = measure("--stage", "2", "--metric", "7", "--value", "801")
    check("not enough of a change sets nothing free", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_REACHED" and state() == begun, r)
    r = measure("--stage", "2", "--metric", "7", "--value", "800")
    check("a fall by 20 % does", r.code == 0 and state() == (80000, [1, 2], 40000, False, 0, "active"), (r, state()))
    check("and is paid out", redeem(400) == "accepted" and redeem("0.01") == "SQ_R_STAGE_NOT_FREE")
    shown = net.must("voucher", voucher, node=SH, key=net.operator(SH)).out
    check("people read how far it has come", "800.00" in shown and "1 2" in shown, shown)

    net.must("window", "cut", "--wait", node=SH, key=net.operator(SH))
    r = measure("--stage", "3", "--grade", "3")
    check("a grade that takes back takes back all that was paid", r.code == 0 and r.json["back_fen"] == 80000 and
          state() == (80000, [1, 2], 0, True, 80000, "revoked"), (r, state()))
    check("nothing more is paid", redeem(1) == "SQ_R_VOUCHER_REVOKED")
    net.must("window", "cut", "--wait", node=SH, key=net.operator(SH))
    w = net.must("window", 2, "--json", node=SH, key=net.operator(SH)).json
    check("the provider's region owes it back in the next window", [p["total_fen"][0] for p in w["pairs"]] == [-80000], w)
    for words in ((), (voucher,), (voucher, "--baseline", "--stage", "1"), (voucher, "--baseline", "--metric", "7", "--value", "1"),
                  (voucher, "--stage", "9"), (voucher, "--stage", "1", "--grade", "1", "--metric", "7", "--value", "1", "--day", "2026-09-01", "--evidence", REPORT),
                  (voucher, "--stage", "1", "--grade", "1", "--day", "2026-09-01", "--evidence", "zz")):
        r = net.run("measure", *words, node=SH, key=evaluator)
        check(f"wrong usage is told: measure {' '.join(words)[19:70]}", r.code == 2 and "--help" in r.err, r)
    for code in (SH, SD):
        net.stop(code)
        r = net.run("audit", "--ledger", net.path(code), "--directory", net.directory)
        check(f"the ledger of {code} passes the audit", r.code == 0, r)
    paid = [net.must("payout", w, "--ledger", net.path(SD), "--out", net.path("payout.csv"), "--json").json["providers"] for w in (1, 2)]
    check("payouts pay it, and take it back where it was taken back", paid == [[{"provider": AWAY, "items": 2, "amount_fen": 80000}], [{"provider": AWAY, "items": 1, "amount_fen": -80000}]], paid)
    r = net.must("budget", f"{SH}/1", 2, "--ledger", net.path(SH), "--out", net.path("budget.csv"), "--json").json
    check("and the budget has it again", r["closing_fen"] - r["opening_fen"] == 80000 and ",clawback,-80000," in net.read("budget.csv"), r)
done()
