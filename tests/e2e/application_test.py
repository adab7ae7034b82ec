"""Applications with the command line: made by holders, assessed and allocated by an issuer; by score, by amount, pro rata; rivals; support that comes by itself."""
from network import Network, check, done, uscc

SH = "310000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
FIRMS = [uscc(31, n) for n in range(1, 5)]
PROVIDER = uscc(31, 9)
PROGRAMME = """issuer: "310000"
number: {number}
version: 1
kind: compute
title: 算力券
from: 2025-01-01
rate: 100%
base: contract
pool: 1000
pool_at: grant
"""


with Network((SH,)) as net:
    net.start_all()
    issuer = net.key(f"issuer:{SH}")
    more = {1: "allocation: score\n", 2: "allocation: earlier_and_smaller\n", 3: "allocation: pro_rata\n", 4: "rivals: supplier\n", 5: "auto_face: 50\nrelated_hops: 2\n"}
    for number, rules in more.items():
        net.must("programme", "publish", net.write(f"p{number}.yaml", PROGRAMME.format(number=number) + rules), node=SH, key=issuer)
    for firm in FIRMS:
        net.enrol("holder", firm, SH)
    provider = net.enrol("provider", PROVIDER, SH)

    def make(n, yuan, number, *options):
        return net.run("application", "make", yuan, "--programme", f"{SH}/{number}", *options, "--json", node=SH, key=net.key(f"holder:{FIRMS[n]}"))

    def listed(number, key=issuer):
        return net.must("application", "--programme", f"{SH}/{number}", "--json", node=SH, key=key).json["applications"]

    def assess(number, rows, key=issuer):
        return net.run("application", "assess", net.write("assess.csv", "application,verdict,score,grade,approved_yuan\n" + rows), "--programme", f"{SH}/{number}",
                       "--json", node=SH, key=key)

    def allocate(number, *options, key=issuer):
        return net.run("application", "allocate", "--programme", f"{SH}/{number}", "--until", "2030-12-31", *options, "--json", node=SH, key=key)

    # made
    check("nobody has applied", listed(1) == [] and "There is none" in net.must("application", "--programme", f"{SH}/1", node=SH, key=issuer).out)
    made = [make(n, yuan, 1) for n, yuan in enumerate((400, 500, 300, 100))]
    check("applications are numbered in the programme", [r.json["application"] for r in made] == [1, 2, 3, 4], made[0])
    r = make(0, "1000000000000", 1)
    check("an amount that cannot be is wrong usage", r.code == 2, r)
    r = net.run("application", "make", 1, "--programme", f"{SH}/1", "--json", node=SH, key=issuer)
    check("an issuer does not apply", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED" and len(listed(1)) == 4, r)
    mine = listed(1, net.key(f"holder:{FIRMS[2]}"))
    check("a holder sees its own", [(a["application"], a["holder"], a["asked_fen"], a["state"]) for a in mine] == [(3, FIRMS[2], 30000, "open")], mine)
    r = net.run("application", "--programme", f"{SH}/1", "--json", node=SH, key=provider)
    check("a provider sees none", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED", r)

    # assessed
    r = assess(1, "1,eligible,70,2,\n1,eligible,80,,\nx,maybe,,,\n")
    check("a file with wrong lines is told by line, and nothing is sent", r.code == 2 and sorted((p["line"], p["field"]) for p in r.json["problems"]) ==
          [(3, "application"), (4, "application"), (4, "verdict")] and [a["verdict"] for a in listed(1)] == [""] * 4, r)
    r = assess(1, "9,eligible,1,,\n")
    check("an application that is not there is refused", r.code == 1 and r.json["error"]["status"] == "SQ_R_APPLICATION", r)
    r = assess(1, "4,eligible,60,,\n2,eligible,90,1,450\n3,refused,95,,\n1,eligible,70,2,\n")
    check("the others are assessed, in any order", r.json == {"assessed": 4}, r)
    check("which the list shows", [(a["verdict"], a["score"], a["grade"], a["approved_fen"]) for a in listed(1)] ==
          [("eligible", 70, 2, 0), ("eligible", 90, 1, 45000), ("refused", 95, 0, 0), ("eligible", 60, 0, 0)], listed(1))

    # allocated
    r = allocate(1, key=net.operator(SH))
    check("an operator allocates nothing", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED" and {a["state"] for a in listed(1)} == {"open"}, r)
    r = allocate(1, "--budget", 900)
    # by score: 90 gets 500, 70 gets 400, 60 asks for 100 and nothing is left; 95 was found not eligible
    check("by score, as far as the money goes", r.code == 1 and (r.json["granted"], r.json["granted_fen"]) == (2, 90000) and
          [(x["application"], x["refusal"]) for x in r.json["refused"]] == [(3, "SQ_R_ASSESSED_OUT"), (4, "SQ_R_POOL_EXHAUSTED")], r)
    states = [(a["state"], a["voucher"][-3:]) for a in listed(1)]
    check("each is closed, with its voucher", states == [("granted", "002"), ("granted", "001"), ("refused", ""), ("refused", "")], states)
    v = net.must("voucher", r.json["first_voucher"], "--json", node=SH, key=issuer).json
    check("which is there", (v["voucher"], v["face_fen"], v["holder"], v["state"]) == (r.json["first_voucher"], 50000, f"holder:{FIRMS[1]}", "granted"), v)
    r = allocate(1)
    check("nothing is open any more", r.code == 1 and r.json["error"]["status"] == "SQ_R_APPLICATION", r)
    shown = net.must("application", "--programme", f"{SH}/1", node=SH, key=issuer).out
    check("people read it", "500.00" in shown and "granted" in shown and FIRMS[0] in shown, shown)

    for n, yuan in enumerate((600, 500, 300)):
        make(n, yuan, 2)
    r = allocate(2)
    check("earlier and smaller first: of one day the smaller ones", (r.json["granted"], r.json["granted_fen"]) == (2, 80000) and [x["application"] for x in r.json["refused"]] == [1], r)
    for n, yuan in enumerate((1000, 500, 500)):
        make(n, yuan, 3)
    r = allocate(3)
    check("pro rata: everybody a part, and the money to the fen", r.code == 0 and (r.json["granted"], r.json["granted_fen"], r.json["refused"]) == (3, 100000, []), r)
    contract = ("--seller", PROVIDER, "--contract", "2026-17", "--contract-yuan", "200", "--contract-day", "2026-01-05", "--contract-from", "2026-02-01",
                "--contract-until", "2026-12-31", "--documents", "contract+licence", "--facts", "level=national")
    make(0, 100, 4, *contract)
    r = make(1, 100, 4, "--supplier", *contract)
    check("a contract is told by its mark, with days, documents and facts", r.code == 0, r)
    r = allocate(4)
    check("of two for one contract the supplier comes first where the programme says so", r.json["granted"] == 1 and
          [(x["application"], x["refusal"]) for x in r.json["refused"]] == [(1, "SQ_R_RIVAL")], r)

    # the support that comes by itself
    consent = ("consent", PROVIDER, "--limit", "40", "--until", "2030-12-31")
    r = net.run(*consent, "--programme", f"{SH}/1", "--json", node=SH, key=net.key(f"holder:{FIRMS[0]}"))
    check("a programme that does not offer it refuses", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_OFFERED", r)
    r = net.run(*consent, "--programme", f"{SH}/5", "--json", node=SH, key=net.key(f"holder:{FIRMS[0]}"))
    check("consent is one command", r.code == 0 and r.json["voucher"] == "3100000005000000001", r)
    voucher = r.json["voucher"]
    check("the voucher has no face yet", net.must("voucher", voucher, "--json", node=SH, key=issuer).json["face_fen"] == 0)
    r = net.run(*consent, "--programme", f"{SH}/5", "--json", node=SH, key=net.key(f"holder:{FIRMS[0]}"))
    check("and a second one is not offered while it lives", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_OFFERED", r)

    def redeem(n, yuan):
        path = net.write(f"rows{n}.csv", f"{HEADER}\n{voucher},{yuan},100,2631200000{n:010d},100,7,2026-09-01\n")
        r = net.run("submit", path, "--json", node=SH, key=provider).json
        return "accepted" if r["accepted"] else next(iter(r["refused"]))

    check("more than the mandate is refused, and grants nothing", redeem(1, 41) == "SQ_R_MANDATE_OVERDRAWN" and
          net.must("voucher", voucher, "--json", node=SH, key=issuer).json["face_fen"] == 0)
    check("its first use grants it", redeem(2, 30) == "accepted")
    v = net.must("voucher", voucher, "--json", node=SH, key=issuer).json
    check("with the programme's face", (v["face_fen"], v["spent_fen"], v["state"]) == (5000, 3000, "active"), v)
    shown = net.must("voucher", voucher, node=SH, key=net.key(f"holder:{FIRMS[0]}")).out
    check("the holder reads it", "50.00" in shown and "30.00" in shown, shown)

    # money in advance
    enter = ("prefund", "enter", PROVIDER)

    def prefunds(key=issuer):
        return [(p["advanced_fen"], p["drawn_fen"], p["left_fen"]) for p in net.must("prefund", "--json", node=SH, key=key).json["prefunds"]]

    r = net.run(*enter, "100", "--programme", f"{SH}/5", "--json", node=SH, key=net.operator(SH))
    check("an operator gives nothing in advance", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED" and prefunds() == [], r)
    r = net.run(*enter, "8", "--programme", f"{SH}/5", "--json", node=SH, key=issuer)
    check("an issuer gives a provider money in advance", r.code == 0 and prefunds() == [(800, 0, 800)], r)
    check("what is redeemed from then on draws it first", redeem(3, 5) == "accepted" and prefunds(provider) == [(800, 500, 300)])
    r = net.run(*enter, "3.01", "--back", "--programme", f"{SH}/5", "--json", node=SH, key=issuer)
    check("more than is left is not taken back", r.code == 1 and r.json["error"]["status"] == "SQ_R_PREFUND" and prefunds() == [(800, 500, 300)], r)
    r = net.run(*enter, "3", "--back", "--programme", f"{SH}/5", "--json", node=SH, key=issuer)
    check("what is left is", r.code == 0 and prefunds() == [(500, 500, 0)], r)
    shown = net.must("prefund", node=SH, key=net.operator(SH)).out
    check("people read it", "5.00" in shown and PROVIDER in shown, shown)

    for words in (("application",), ("application", "make"), ("application", "make", "5"), ("application", "make", "5", "--programme", "x"),
                  ("application", "make", "5", "--programme", f"{SH}/1", "--contract", "7"), ("application", "make", "5", "--programme", f"{SH}/1", "--documents", "poem"),
                  ("application", "assess"), ("application", "allocate", "--programme", f"{SH}/1"), ("consent", PROVIDER), ("consent", "12"),
                  ("prefund", "enter", PROVIDER), ("prefund", "enter", PROVIDER, "-5"), ("voucher", ), ("voucher", "7")):
        r = net.run(*words, node=SH, key=issuer)
        check(f"wrong usage is told: {' '.join(words)[:60]}", r.code == 2 and "--help" in r.err, r)
    net.stop(SH)
    r = net.run("audit", "--ledger", net.path(SH), "--directory", net.directory)
    check("the ledger passes the audit", r.code == 0, r)
done()
