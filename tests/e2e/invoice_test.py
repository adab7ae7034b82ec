"""Credit notes with the command line: what an invoice's new total no longer covers comes back, at home and from another region's provider."""

from network import Network, check, done, patiently, uscc

SH, SD = "310000", "370000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
HOLDER, AWAY = uscc(31, 1), uscc(37, 2)
OWN, FOREIGN = "26372000000000000001", "26312000000000000002"  # homes: the provider's node, and the issuer's
CREDIT = "26372000000000000099"
files = 0


with Network((SH, SD)) as net:
    net.start_all()
    net.programme(SH, 1, SH)
    net.enrol("holder", HOLDER, SH)
    provider = net.enrol("provider", AWAY, SD)
    vouchers = [net.grant(SH, 1, HOLDER, 10000, SH) for _ in range(2)]
    for v in vouchers:
        net.mandate(HOLDER, AWAY, v, 10000, SH)
    patiently(lambda: net.must("programme", "list", "--json", node=SD, key=net.operator(SD)).json["programmes"])

    def submit(rows, header=HEADER):
        global files
        files += 1
        path = net.write(f"rows{files}.csv", header + "\n" + "".join(",".join(map(str, r)) + "\n" for r in rows))
        return net.run("submit", path, "--json", node=SD, key=provider).json

    def shown(number, node):
        r = net.run("invoice", number, "--json", node=node, key=net.operator(node))
        return r.json

    def on_it(number, node):
        return [(p["base_fen"], p["amount_fen"]) for p in shown(number, node)["programmes"]]

    def reverse(number, left, node, *more, who=None):
        return net.run("invoice", "reverse", number, "--note", CREDIT, "--left", left, *more, "--json", node=node, key=who or net.operator(node))

    def spent():
        return net.must("programme", "list", "--json", node=SH, key=net.operator(SH)).json["programmes"][0]["spent_fen"]

    day = "2026-09-01"
    for number in (OWN, FOREIGN):
        r = submit([(vouchers[0], 120, 400, number, 1000, 7, day), (vouchers[1], 180, 600, number, 1000, 7, day)])
        check(f"two vouchers are used for invoice {number[2:4]}", r["accepted"] == 2, r)
    r = submit([(vouchers[0], 31, 100, "26312000000000000003", 1000, 7, day)])
    check("a claim is registered and then refused by its issuer", r["refused"] == {"SQ_R_RATE_EXCEEDED": 1}, r)

    # what is there
    check("the home shows what is claimed", on_it(OWN, SD) == [(100000, 30000)] and (shown(OWN, SD)["provider"], shown(OWN, SD)["total_fen"]) == (AWAY, 100000), shown(OWN, SD))
    check("also for another node's provider", on_it(FOREIGN, SH) == [(100000, 30000)] and shown(FOREIGN, SH)["acquirer"] == SD)
    check("a refused claim is none", patiently(lambda: on_it("26312000000000000003", SH) == []))
    r = net.run("history", "--invoice", "26312000000000000003", node=SH, key=net.operator(SH))
    check("its history says how it ended", "refused by its issuer" in r.out, r)
    r = net.run("invoice", OWN, node=SH, key=net.operator(SH))
    check("another node names the home", r.code == 2 and f"node {SD} is the home" in r.err, r)
    r = net.run("invoice", OWN, node=SD, key=net.operator(SD))
    check("people read it in yuan", "1,000.00" in r.out and "300.00" in r.out and AWAY in r.out, r)

    # trying, and what is refused
    r = reverse(OWN, 700, SD, "--dry-run")
    back = [(x["voucher"], x["base_fen"], x["amount_fen"]) for x in r.json["returns"]]
    # 300 of 1000 yuan are not covered: ceil(300.00 * 300 / 1000) = 90.00, spread 120 : 180
    check("a try says what would come back from which voucher", r.code == 0 and r.json["back_fen"] == 9000 and not r.json["sent"] and
          back == [(vouchers[0], 12000, 3600), (vouchers[1], 18000, 5400)], r)
    check("and changes nothing", on_it(OWN, SD) == [(100000, 30000)] and shown(OWN, SD)["total_fen"] == 100000 and spent() == 60000)
    r = reverse(OWN, "1000.01", SD)
    check("a total above the invoice's is refused, and nothing changes", r.code == 1 and r.json["error"]["status"] == "SQ_R_AMOUNT" and
          shown(OWN, SD)["total_fen"] == 100000 and on_it(OWN, SD) == [(100000, 30000)], r)
    r = reverse(OWN, 700, SD, who=provider)
    check("only operators enter credit notes", r.code == 1 and r.json["error"]["status"] == "SQ_R_NOT_PERMITTED", r)
    r = reverse(OWN, 700, SH)
    check("at the invoice's home", r.code == 2 and f"node {SD} is the home" in r.json["error"]["detail"], r)

    # at the provider's node
    r = reverse(OWN, 700, SD)
    check("a credit note takes back what is not covered", r.code == 0 and r.json["sent"] and r.json["back_fen"] == 9000, r)
    check("the issuer decides it, and the register follows", patiently(lambda: on_it(OWN, SD) == [(70000, 21000)] and spent() == 51000), shown(OWN, SD))
    r = reverse(OWN, 700, SD)
    check("said again, nothing more comes back", r.code == 0 and r.json["returns"] == [] and spent() == 51000, r)
    r = submit([(vouchers[0], 3, 10, OWN, 1000, 7, day)])
    check("the new total holds for new claims", r["refused"] == {"SQ_R_INVOICE_TOTAL": 1}, r)

    # at another home, after the provider returned something itself
    r = submit([(vouchers[0], 60, 200, FOREIGN, 1000, 7, day, "return")], HEADER + ",verb")
    check("the provider returns a part itself", r["accepted"] == 1, r)
    patiently(lambda: on_it(FOREIGN, SH) == [(80000, 24000)])
    r = reverse(FOREIGN, 0, SH)
    back = [(x["voucher"], x["base_fen"], x["amount_fen"]) for x in r.json["returns"]]
    check("a void invoice takes back the rest, of another region's provider", r.json["back_fen"] == 24000 and
          back == [(vouchers[0], 20000, 6000), (vouchers[1], 60000, 18000)], r)
    check("nothing is left on it", patiently(lambda: on_it(FOREIGN, SH) == [] and spent() == 21000), (shown(FOREIGN, SH), spent()))
    net.must("window", "cut", "--wait", node=SH, key=net.operator(SH))
    w = net.must("window", 1, "--json", node=SH, key=net.operator(SH)).json
    check("and the region is owed that much less", [p["total_fen"][0] for p in w["pairs"]] == [21000], w)

    for words in ((), ("123",), (OWN, "--note", CREDIT), (OWN, "--left", "5"), (OWN, "--note", "7", "--left", "5"), (OWN, "--note", CREDIT, "--left", "-5")):
        r = net.run("invoice", "reverse", *words, node=SD, key=net.operator(SD))
        check(f"wrong usage is told: invoice reverse {' '.join(words)}", r.code == 2 and "--help" in r.err, r)
    for code in (SH, SD):
        net.stop(code)
        r = net.run("audit", "--ledger", net.path(code), "--directory", net.directory)
        check(f"the ledger of {code} passes the audit", r.code == 0, r)
done()
