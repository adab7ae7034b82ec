"""A case about an item, between three real nodes, with the command line: from the query to a ruling, the next cut, payouts, and the audit."""
import csv
import io

from network import Network, check, done, patiently, uscc

SH, SD, GD = "310000", "370000", "440000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
PROVIDER, HOLDER = uscc(37, 1), uscc(31, 2)
DAY = "2026-09-01"

def invoice(n):
    return f"2637200000{n:010d}"


with Network((SH, SD, GD)) as net:
    net.start_all()
    issuer, provider, regulator = net.key(f"issuer:{SH}"), net.key(f"provider:{PROVIDER}"), net.key("regulator:mof")
    net.programme(SH, 1, SH)
    net.enrol("provider", PROVIDER, SD)
    net.enrol("holder", HOLDER, SH)
    voucher = net.grant(SH, 1, HOLDER, 10000, SH)
    net.mandate(HOLDER, PROVIDER, voucher, 10000, SH)
    patiently(lambda: net.must("programme", "list", "--json", node=SD, key=net.operator(SD)).json["programmes"])
    rows = net.write("rows.csv", HEADER + "\n" + "".join(f"{voucher},{yuan},1000,{invoice(n)},1000,7,{DAY}\n" for n, yuan in ((1, 100), (2, 30))))
    sent = net.run("submit", rows, "--json", node=SD, key=provider)
    check("a provider of another region is paid for two items", sent.json["accepted"] == 2, sent)

    def open_case(number, yuan, *more):
        return net.run("dispute", "open", voucher, invoice(number), "--provider", PROVIDER, "--day", DAY, "--amount", yuan, "--reason", "not-rendered",
                       "--note", "no such job", *more, "--json", node=SH, key=issuer)

    def act(what, number, *more, who):
        node = SD if who == provider else SH
        return net.run("dispute", what, f"{SH}/{number}", "--note", f"{what} it", *more, "--json", node=node, key=who)

    def cases(node, who, *more):
        return net.must("dispute", *more, "--json", node=node, key=who).json["disputes"]

    def stage(node, number, who):
        return next((c["state"] for c in cases(node, who, "--all") if c["number"] == number), None)

    # working days
    r = net.run("calendar", net.write("bad.csv", "day,works\n2026-10-01,no\n2026-10-01,no\n2025-10-02,no\n2026-10-09,maybe\n"), "--json", node=SH, key=net.operator(SH))
    check("a table of days that cannot be right is refused by line and reason", r.code == 2 and [p["line"] for p in r.json["problems"]] == [3, 4, 5], r)
    r = net.run("calendar", net.write("monday.csv", "day,works\n2026-09-21,yes\n"), "--json", node=SH, key=net.operator(SH))
    check("a Monday is no day to work instead", r.code == 1 and r.json["error"]["status"] == "SQ_R_CALENDAR", r)
    r = net.run("calendar", "ops/calendar/2026.csv", "--json", node=SH, key=net.operator(SH))
    check("the holidays of 2026 are taken", r.json == {"year": 2026, "off_days": 33, "work_days": 6}, r)
    check("only an operator enters them", net.run("calendar", "ops/calendar/2026.csv", node=SH, key=issuer).code == 1)

    # all the way
    r = open_case(1, 100)
    check("an issuer opens a case", r.json == {"node": SH, "number": 1, "action": 1}, r)
    check("the provider finds it at its own node", patiently(lambda: stage(SD, 1, provider) == "query"))
    mine = cases(SD, provider)[0]
    check("with what is asked and until when", (mine["amount_fen"], mine["reason"], mine["note"], mine["invoice"]) == (10000, "not_rendered", "no such job", invoice(1)) and
          mine["deadline_day"] > 20200101, mine)
    check("a person reads it", "no such job" in net.must("dispute", node=SD, key=provider).out)
    check("others do not see it", cases(SH, net.key(f"holder:{HOLDER}")) == [] and cases(SH, net.operator(SH))[0]["number"] == 1)
    check("a second one about the same item is refused", open_case(1, 50).json["error"]["status"] == "SQ_R_DISPUTED")
    check("the issuer waits for the answer", act("charge", 1, who=issuer).json["error"]["status"] == "SQ_R_DISPUTE_STATE")
    check("the provider answers", act("answer", 1, "--evidence", "ab" * 32, who=provider).code == 0)
    check("the issuer hears it", patiently(lambda: stage(SH, 1, issuer) == "answered") and cases(SH, issuer)[0]["evidence"] == "ab" * 16)
    check("and charges back", act("charge", 1, who=issuer).code == 0 and patiently(lambda: stage(SD, 1, provider) == "charged_back"))
    check("the provider presents again", act("present", 1, who=provider).code == 0 and patiently(lambda: stage(SH, 1, issuer) == "presented_again"))
    check("the issuer calls for arbitration", act("arbitrate", 1, who=issuer).code == 0)
    r = act("rule", 1, "--amount", "100.01", who=regulator)
    check("the regulator cannot give more than was asked for", r.code == 1 and r.json["error"]["status"] == "SQ_R_DISPUTE_TERMS", r)
    check("it rules that 40 yuan come back", act("rule", 1, "--amount", 40, who=regulator).code == 0 and patiently(lambda: stage(SD, 1, provider) == "upheld"))
    check("both sides say how much", [cases(n, w, "--all")[0]["taken_fen"] for n, w in ((SH, issuer), (SD, provider))] == [4000, 4000])

    # a query about what never was, and one that the provider accepts
    check("an item that is not on the invoice's register is denied by its home", open_case(9, 10).code == 0 and patiently(lambda: stage(SH, 2, issuer) == "no_such_item"))
    check("a provider may give in at once", open_case(2, 30).code == 0 and patiently(lambda: stage(SD, 3, provider) == "query") and
          act("accept", 3, who=provider).code == 0 and patiently(lambda: stage(SD, 3, provider) == "upheld"))
    check("no case is open any more", "There is none" in net.must("dispute", node=SD, key=provider).out)

    # the next cut
    net.must("window", "cut", "--wait", node=SH, key=net.operator(SH))
    w = net.must("window", 1, "--json", node=SH, key=net.operator(SH)).json
    check("what came back is not settled", [p["total_fen"][0] for p in w["pairs"]] == [6000] and sum(p["amount_fen"] for p in w["payments"] if p["payer"] == SH) == 6000, w)
    spent = net.must("programme", "list", "--json", node=SH, key=net.operator(SH)).json["programmes"][0]["spent_fen"]
    check("and not spent", spent == 6000)


    # usage
    for words in (("open", voucher, invoice(1)), ("open", voucher, "123", "--provider", PROVIDER), ("answer", "17", "--note", "x"), ("answer", f"{SH}/1"),
                  ("rule", f"{SH}/1", "--note", "x"), ("open", voucher, invoice(1), "--reason", "whim")):
        r = net.run("dispute", *words, node=SH, key=issuer)
        check(f"wrong usage is told: dispute {' '.join(words)[:40]}", r.code == 2 and "--help" in r.err, r)

    for code in (SH, SD, GD):
        net.stop(code)

    # who gets what: the items in full, and what the cases took back, each a line of its own
    out = net.path("payout.csv")
    r = net.must("payout", 1, "--ledger", net.path(SD), "--out", out, "--json").json
    check("the provider gets what is left of its two items", r["providers"] == [{"provider": PROVIDER, "items": 4, "amount_fen": 6000}], r)
    lines = [(x["verb"], int(x["amount_fen"]), x["invoice"]) for x in csv.DictReader(io.StringIO(net.read("payout.csv")))]
    check("line by line", sorted(lines) == [("clawback", -4000, ""), ("clawback", -3000, ""), ("redeem", 3000, invoice(2)), ("redeem", 10000, invoice(1))], lines)
    r = net.must("budget", f"{SH}/1", 1, "--ledger", net.path(SH), "--format", "camt.053", "--out", net.path("budget.xml"), "--json").json
    check("the budget paid as much", r["opening_fen"] - r["closing_fen"] == 6000 and r["borne_fen"] == 0 and net.read("budget.xml").count("<Cd>clawback</Cd>") == 2, r)

    for code in (SH, SD, GD):
        r = net.run("audit", "--ledger", net.path(code), "--directory", net.directory)
        check(f"the ledger of {code} passes the audit", r.code == 0, r)

done()
