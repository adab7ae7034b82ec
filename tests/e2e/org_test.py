"""What is said of organisations with the command line: facts, who controls whom, sanctions, and a refusal lifted; each shows in decisions."""
import time

from network import Network, check, done, patiently, uscc

SH, SD = "310000", "370000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
FIRM, OTHER, PROVIDER, PARENT = uscc(31, 1), uscc(31, 2), uscc(31, 3), uscc(31, 4)
PROGRAMME = """issuer: "310000"
number: 1
version: 1
kind: compute
title: 算力券
from: 2025-01-01
rate: 30%
base: contract
conditions: [{of: holder, what: standing, in: [startup, hightech]}]
limits: [{id: 1, scope: holder, of: redeemed, soft: 100, hard: 250}]
waivable: [CAP_CLAIM]
related_hops: 2
cap_claim: 200
"""
invoices = 0


with Network((SH, SD)) as net:
    net.start_all()
    issuer, operator = net.key(f"issuer:{SH}"), net.operator(SH)
    net.must("programme", "publish", net.write("programme.yaml", PROGRAMME), node=SH, key=issuer)
    for holder in (FIRM, OTHER):
        net.enrol("holder", holder, SH)
    provider = net.enrol("provider", PROVIDER, SH)

    def org(code, node=SH, key=None):
        return net.must("org", code, "--json", node=node, key=key or net.operator(node)).json

    def told(what, name, text, key=operator):
        return net.run("org", what, net.write(name, text), "--json", node=SH, key=key)

    def grant(holder):
        path = net.write(f"grant{time.monotonic_ns()}.csv", f"holder,face_yuan,until_day\n{holder},10000,2030-12-31\n")
        return net.run("grant", path, "--programme", "310000/1", "--json", node=SH, key=issuer)

    def redeem(yuan):
        global invoices
        invoices += 1
        path = net.write(f"rows{invoices}.csv", f"{HEADER}\n{voucher},{yuan},10000,2631200000{invoices:010d},10000,7,2026-09-01\n")
        r = net.run("submit", path, "--json", node=SH, key=provider).json
        return "accepted" if r["accepted"] else next(iter(r["refused"]))

    # facts
    check("of an organisation of which nothing was said nothing is known", [org(FIRM)[part] for part in ("facts", "edges", "sanctions")] == [[], [], []] and
          "Nothing was said" in net.must("org", PARENT, node=SH, key=operator).out)
    r = grant(FIRM)
    check("a condition on what is not known is not met", r.code == 1 and r.json["error"]["status"] == "SQ_R_HOLDER_CONDITION", r)
    good = f"org,attribute,value,from_day,until_day\n{FIRM},standing,startup,2026-01-01,\n{FIRM},sector,6513,2025-01-01,2099-12-31\n{PROVIDER},1003,1,2026-01-01,\n"
    bad = f"org,attribute,value,from_day,until_day\n{FIRM},standing,huge,2026-01-01,\n{FIRM},service,1,2026-01-01,\n12,size,micro,2026-01-01,\n{FIRM},size,micro,2026-01-01,2025-01-01\n{FIRM},size,micro,yesterday,\n"
    r = told("facts", "bad.csv", bad)
    check("a file with wrong lines is told by line, field, value and reason", r.code == 2 and [(p["line"], p["field"], p["value"]) for p in r.json["problems"]] ==
          [(2, "value", "huge"), (3, "attribute", "service"), (4, "org", "12"), (5, "until_day", "2025-01-01"), (6, "from_day", "yesterday")], r)
    check("and nothing of it is sent", org(FIRM)["facts"] == [])
    r = told("facts", "good.csv", good, key=net.key(f"provider:{PROVIDER}"))
    check("a provider states nothing", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED" and org(FIRM)["facts"] == [], r)
    r = told("facts", "good.csv", good, key=issuer)
    check("an issuer states facts for its programmes", r.code == 0 and r.json == {"stated": 3, "issuer": 310000}, r)
    facts = [(f["name"], f["text"], f["issuer"], f["from_day"], f["until_day"]) for f in org(FIRM)["facts"]]
    check("they are known", facts == [("sector", "6513", 310000, 20250101, 20991231), ("standing", "startup", 310000, 20260101, 0)], facts)
    r = grant(FIRM)
    check("and decide", r.code == 0, r)
    voucher = r.json["vouchers"][0]["voucher"]
    net.mandate(FIRM, PROVIDER, voucher, 10000, SH)
    r = told("facts", "operator.jsonl", f'{{"机构": "{OTHER}", "属性": "standing", "值": "hightech", "起始日": "2026-01-01"}}\n')
    check("an operator states them for all programmes, in either form and language", r.json == {"stated": 1, "issuer": 0} and org(OTHER)["facts"][0]["issuer"] == 0, r)
    shown = net.must("org", FIRM, node=SH, key=operator).out
    check("people read words", "startup" in shown and "2026-01-01" in shown and "310000" in shown, shown)
    r = net.run("org", FIRM, "--json", node=SH, key=provider)
    check("they are nobody else's business", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED", r)
    check("but the organisation's own", org(FIRM, key=net.key(f"holder:{FIRM}"))["facts"] != [])

    # a refusal lifted
    check("up to the usual limit all is well", redeem(100) == "accepted" and redeem("0.01") == "SQ_R_LIMIT_SOFT")
    lift = ["override", FIRM, "--programme", "310000/1", "--lift", "LIMIT_SOFT", "--limit", "1", "--ceiling", "200", "--until", "2099-12-31",
            "--approver", "王局长", "--reason", "minutes 2026-9"]
    r = net.run(*[("CAP_YEAR" if w == "LIMIT_SOFT" else w) for w in lift if w not in ("--limit", "1")], "--json", node=SH, key=issuer)
    check("what the programme does not call waivable is not lifted", r.code == 1 and r.json["error"]["status"] == "SQ_R_OVERRIDE" and redeem("0.01") == "SQ_R_LIMIT_SOFT", r)
    for left_out in ("--approver", "--reason", "--limit", "--until"):
        i = lift.index(left_out)
        r = net.run(*lift[:i], *lift[i + 2:], node=SH, key=issuer)
        check(f"an override without {left_out} is wrong usage", r.code == 2 and "--help" in r.err, r)
    r = net.run(*lift, "--json", node=SH, key=operator)
    check("an operator lifts nothing", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED" and redeem("0.01") == "SQ_R_LIMIT_SOFT", r)
    r = net.run(*lift, "--json", node=SH, key=issuer)
    check("an issuer lifts the usual limit, up to a ceiling", r.code == 0 and r.json["ceiling"] == 20000, r)
    check("then it holds no more, and the ceiling does", redeem(100) == "accepted" and redeem("0.01") == "SQ_R_LIMIT_SOFT")

    # who controls whom
    edges = f"owner,owned,kind,from_day\n{PARENT},{FIRM},controls,2020-01-01\n{PARENT},{PROVIDER},controls,2020-01-01\n"
    r = told("edges", "bad-edges.csv", f"owner,owned,kind,from_day\n{PARENT},{PARENT},controls,2020-01-01\n{PARENT},{FIRM},owns,2020-01-01\n")
    check("wrong edges are told by line", r.code == 2 and [(p["line"], p["field"]) for p in r.json["problems"]] == [(2, "owned"), (3, "kind")] and org(FIRM)["edges"] == [], r)
    r = net.run(*lift[:8], "--ceiling", "240", *lift[10:], node=SH, key=issuer)
    check("a new override replaces the ceiling", r.code == 0 and redeem(1) == "accepted", r)
    r = told("edges", "edges.csv", edges)
    check("who controls whom is taken", r.json["stated"] == 2 and [(e["owner"], e["owned"], e["kind"]) for e in org(FIRM)["edges"]] == [(PARENT, FIRM, "controls")], r)
    check("holder and provider of one group are related", redeem(1) == "SQ_R_RELATED_PARTY")
    r = told("edges", "edges.csv", edges.replace("from_day", "from_day,until_day").replace("2020-01-01", "2020-01-01,2021-01-01"))
    check("said with an end they are not any more", r.code == 0 and redeem(1) == "accepted", r)

    # sanctions
    sanction = ["org", "sanction", FIRM, "--cause", "false_claims", "--from", "2026-01-01", "--reason", "decision 2026-17"]
    r = net.run(*sanction, "--json", node=SH, key=provider)
    check("a provider sanctions nobody", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED" and org(FIRM)["sanctions"] == [], r)
    r = net.run(*sanction, "--json", node=SD, key=net.key("regulator:mof"))
    check("a regulator does, at any node", r.code == 0 and r.json["effect"] == "everything", r)
    check("and all nodes know", patiently(lambda: org(FIRM)["sanctions"] != []) and org(FIRM)["sanctions"][0]["authority"] == "regulator:mof", org(FIRM))
    check("the holder redeems no more", redeem(1) == "SQ_R_HOLDER_SANCTIONED")
    r = net.run(*sanction, "--until", "2026-01-31", "--effect", "grants", node=SD, key=net.key("regulator:mof"))
    check("said again with an end, it is over", r.code == 0 and patiently(lambda: org(FIRM)["sanctions"][0]["until_day"] == 20260131) and redeem(1) == "accepted", r)
    check("people read it", "false_claims" in net.must("org", FIRM, node=SH, key=operator).out)
    for words in ((FIRM,), (FIRM, "--cause", "bad", "--from", "2026-01-01", "--reason", "x"), (FIRM, "--cause", "dishonest", "--from", "2026-01-01"),
                  ("12", "--cause", "dishonest", "--from", "2026-01-01", "--reason", "x"), (FIRM, "--cause", "dishonest", "--from", "2026-01-02", "--until", "2026-01-01", "--reason", "x")):
        r = net.run("org", "sanction", *words, node=SH, key=operator)
        check(f"wrong usage is told: org sanction {' '.join(words)[:60]}", r.code == 2 and "--help" in r.err, r)

    for code in (SH, SD):
        net.stop(code)
        r = net.run("audit", "--ledger", net.path(code), "--directory", net.directory)
        check(f"the ledger of {code} passes the audit", r.code == 0, r)
done()
