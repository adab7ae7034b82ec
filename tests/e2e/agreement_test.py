"""Two real nodes agree on recognising each other's vouchers, with the command line, and redeem under the terms."""

from network import Network, check, done, patiently, uscc

SH, SD = "310000", "370000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
HOLDER, PROVIDER = uscc(31, 1), uscc(37, 2)
PROGRAMME = """issuer: "310000"
number: 1
version: 1
kind: compute
title: 算力券
from: 2025-01-01
rate: 30%
base: contract
pool: 1000万
recognition: agreement
conditions: [{of: provider, what: region, in: ["310000"]}]
"""
TERMS = """version: 1
kinds: [model, compute]
from: 2025-01-01
until: 2099-12-31
rate_ceiling: 25%
sides:
  - {node: "370000", borne: 10%}
  - {node: "310000", borne: 20%, exposure: 300, relaxed: [lists, region]}
"""


with Network((SH, SD)) as net:
    net.start_all()
    terms = net.write("terms.yaml", TERMS)
    other = net.write("other.yaml", TERMS.replace("25%", "24%"))

    def sign(node, who, path=terms, role=None):
        return net.run("agreement", "sign", path, "--role", role or who, "--json", node=node, key=net.operator(node, who))

    def agreements(node):
        return net.must("agreement", "--json", node=node, key=net.operator(node)).json["agreements"]

    invoices = 0

    def redeem(yuan, base):
        global invoices
        invoices += 1
        rows = net.write(f"row{invoices}.csv", f"{HEADER}\n{voucher},{yuan},{base},2637200000{invoices:010d},{base},7,2026-09-01\n")
        return net.run("submit", rows, "--json", node=SD, key=net.key(f"provider:{PROVIDER}")).json

    net.must("programme", "publish", net.write("programme.yaml", PROGRAMME), node=SH, key=net.key(f"issuer:{SH}"))
    net.enrol("holder", HOLDER, SH)
    net.enrol("provider", PROVIDER, SD)
    voucher = net.grant(SH, 1, HOLDER, 10000, SH)
    net.mandate(HOLDER, PROVIDER, voucher, 10000, SH)
    patiently(lambda: net.must("programme", "list", "--json", node=SD, key=net.operator(SD)).json["programmes"])
    check("without an agreement there is none to see", agreements(SH) == [] and "There is none" in net.must("agreement", node=SH, key=net.operator(SH)).out)
    r = redeem(100, 1000)
    check("and the other region's provider is refused for that", r["refused"] == {"SQ_R_NO_AGREEMENT": 1}, r)

    # two people here
    r = sign(SH, "checker")
    check("a checker has nothing to agree to before a maker", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_ENTERED" and agreements(SH) == [], r)
    r = sign(SH, "maker")
    check("a maker enters the terms", r.code == 0 and r.json == {"with": SD, "version": 1, "role": "maker"}, r)
    check("they wait for a checker, and the other region has not heard", agreements(SH)[0]["waiting_for_checker"] and agreements(SD) == [])
    r = sign(SH, "maker", role="checker")
    check("who is somebody else", r.code == 1 and r.json["error"]["status"] == "SQ_R_SAME_PERSON", r)
    r = sign(SH, "checker", other)
    check("and says the same", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_ENTERED" and agreements(SH)[0]["state"] == "entered", r)
    r = net.run("agreement", "sign", terms, "--role", "maker", node=SH, key=net.key(f"issuer:{SH}"))
    check("an issuer cannot agree", r.code == 1 and "may not send" in r.err, r)
    check("the checker says it", sign(SH, "checker").code == 0 and agreements(SH)[0]["state"] == "said_here")

    # and two there
    check("the other region hears of it", patiently(lambda: [a["state"] for a in agreements(SD)] == ["said_there"]))
    check("it is not in force yet", redeem(100, 1000)["refused"] == {"SQ_R_NO_AGREEMENT": 1})
    check("two people there say the same", sign(SD, "maker").code == 0 and sign(SD, "checker").code == 0)
    check("then it is in force at both", patiently(lambda: agreements(SH)[0]["state"] == agreements(SD)[0]["state"] == "in_force"))
    a = agreements(SH)[0]
    sides = [(s["node"], s["borne_bp"], s["exposure_fen"], s["relaxed"]) for s in a["sides"]]
    check("on the terms of the file", (a["with"], a["kinds"], a["rate_ceiling_bp"], a["from_day"], a["until_day"]) == (SD, [1, 2], 2500, 20250101, 20991231) and
          sides == [(SH, 2000, 30000, ["region", "lists"]), (SD, 1000, 0, [])], a)

    # under it
    r = redeem(100, 1000)
    check("what was refused is accepted now, from a region whose providers the programme does not ask", r["accepted"] == 1, r)
    check("above the ceiling is not", redeem("250.01", 1000)["refused"] == {"SQ_R_AGREEMENT_RATE": 1})
    # 80 of 100 yuan are owed, so 220 are left of the 300 that Shanghai may owe
    check("nor more than the region may owe", redeem("220.01", 1000)["refused"] == {"SQ_R_AGREEMENT_EXPOSURE": 1})
    here = agreements(SH)[0]["sides"][0]
    check("the list says what came under it, who bears what, and what is owed", (here["redeemed_fen"], here["borne_fen"], here["used_fen"]) == (10000, 2000, 8000), here)
    there = patiently(lambda: agreements(SD)[0]["sides"][1]["used_fen"] == 8000) and agreements(SD)[0]["sides"][1]
    check("the other region has the same numbers", there and (there["node"], there["redeemed_fen"], there["borne_fen"]) == (SH, 10000, 2000), there)
    shown = net.must("agreement", node=SH, key=net.operator(SH)).out
    check("a person reads them", "in force" in shown and "20%" in shown and "300.00" in shown and "80.00" in shown, shown)

    # what cannot be
    r = sign(SH, "maker")
    check("a version is said once", r.code == 1 and r.json["error"]["status"] == "SQ_R_AGREEMENT" and len(agreements(SH)) == 1, r)
    for wrong, line, why in ((TERMS.replace("borne: 10%", "borne: 110%"), 7, "is not a share"), (TERMS.replace("2099-12-31", "2024-12-31"), 4, "lies before from"),
                             (TERMS.replace('"370000"', '"310000"'), 8, "is on both sides"), (TERMS.replace("relaxed", "relax"), 8, "relax"),
                             (TERMS.replace("model", "gold"), 2, "none of: compute model corpus"), (TERMS.replace("lists", "grade"), 8, "none of: region")):
        r = net.run("agreement", "sign", net.write("wrong.yaml", wrong), "--role", "maker", node=SH, key=net.operator(SH))
        check(f"a file that cannot be is told by line and reason: {why}", r.code == 2 and f"wrong.yaml:{line}:" in r.err and why in r.err, r)
    for words in ((), ("terms.yaml",), ("terms.yaml", "--role", "boss")):
        r = net.run("agreement", "sign", *words, node=SH, key=net.operator(SH))
        check(f"wrong usage is told: agreement sign {' '.join(words)}", r.code == 2 and "--help" in r.err, r)
    net.must("window", "cut", "--wait", node=SH, key=net.operator(SH))
    for code in (SH, SD):
        net.stop(code)
        r = net.run("audit", "--ledger", net.path(code), "--directory", net.directory)
        check(f"the ledger of {code} passes the audit", r.code == 0, r)
    r = net.must("payout", 1, "--ledger", net.path(SD), "--out", net.path("payout.csv"), "--json").json
    check("the provider gets all of it, of which its own region bears a fifth", r["providers"] == [{"provider": PROVIDER, "items": 1, "amount_fen": 10000}] and
          r["region"] == {"borne_fen": -2000, "advance_fen": 0, "adjusted_fen": 0}, r)
    check("as a line of its own, at the redemption's place", [x.split(",")[i] for x in net.read("payout.csv").splitlines()[1:] for i in (1, 7, 8)] ==
          [PROVIDER, "redeem", "10000", "", "borne", "-2000"], net.read("payout.csv"))
    check("a person reads that too", "borne by the region" in net.must("payout", 1, "--ledger", net.path(SD), "--out", net.path("payout.csv")).out)
    r = net.must("budget", f"{SH}/1", 1, "--ledger", net.path(SH), "--format", "camt.053", "--out", net.path("budget.xml"), "--json").json
    check("the budget pays the rest", (r["opening_fen"] - r["closing_fen"], r["borne_fen"]) == (8000, -2000) and "<Cd>borne</Cd>" in net.read("budget.xml"), r)
done()
