"""sanquan explain on ledgers of real nodes: accepted and refused rows, at home and across regions, against the receipts."""
import json
import time

from network import PATIENCE_S, Network, check, done, uscc

SH, SD = "310000", "370000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
TERMS = """issuer: "310000"
number: 1
version: 1
kind: compute
title: 算力券
from: 2025-01-01
rate: 30%
base: contract
pool: 1000
cap_claim: 250
cap_year: 300
"""


def rule(explained, name):
    return next((r for r in explained["rules"] if r["rule"] == name), None)


def amounts(explained, name):
    r = rule(explained, name)
    return r and (r["passed"], r["limit"], r["used"], r["left"])


with Network((SH, SD)) as net:
    net.start_all()
    holder, at_home, away = uscc(31, 1), uscc(31, 2), uscc(37, 3)
    net.enrol("holder", holder, SH)
    keys = {SH: net.enrol("provider", at_home, SH), SD: net.enrol("provider", away, SD)}
    net.must("programme", "publish", net.write("terms.yaml", TERMS), node=SH, key=net.key(f"issuer:{SH}"))
    until = time.monotonic() + PATIENCE_S
    while not net.must("programme", "list", "--json", node=SD, key=net.operator(SD)).json["programmes"]:
        assert time.monotonic() < until
    voucher = net.grant(SH, 1, holder, 900, SH)
    for provider in (at_home, away):
        net.mandate(holder, provider, voucher, 500, SH)

    # ---- decided where the batch was taken ----
    # 30 % of 333.35 is 100.005: 100.00 to the fen. Then 200 fill the year's 300, and 0.01 is too much.
    rows = [f"{voucher},{a},{b},2631200000{i:010d},{b},7,2026-09-01" for i, (a, b) in enumerate(((100, "333.35"), (200, 1000), ("0.01", 10)), 1)]
    path = net.write("home.csv", "\n".join([HEADER, *rows]) + "\n")
    r = net.run("submit", path, "--receipts", "--json", node=SH, key=keys[SH])
    check("two rows are accepted and one is refused", r.code == 1 and r.json["accepted"] == 2 and r.json["refused"] == {"SQ_R_CAP_YEAR": 1}, r)
    seq = json.loads(net.read("home.csv.receipts"))["seq"]
    item = net.read("home.csv.refused").splitlines()[1].split(",")[3]
    check("FILE.refused names the row as the receipt does", item == f"{seq}.2", item)
    r = net.run("submit", path, node=SH, key=keys[SH])
    check("and the report says how to have it explained", "sanquan explain" in r.out, r)

    at = ("explain", "--ledger", net.path(SH))
    first = net.must(*at, f"{seq}.0", "--json").json
    check("an accepted row shows rate, base and what came out", first["accepted"] and first["batch"] == seq and first["row"] == 0 and
          (first["rate_bp"], first["base_fen"], first["entitled_fen"], first["amount_fen"]) == (3000, 33335, 10000, 10000), first)
    check("and all caps with what was left", [amounts(first, n) for n in ("SQ_R_CAP_CLAIM", "SQ_R_CAP_YEAR", "SQ_R_POOL_EXHAUSTED",
          "SQ_R_MANDATE_OVERDRAWN", "SQ_R_VOUCHER_OVERDRAWN")] == [("yes", 25000, 0, 25000), ("yes", 30000, 0, 30000), ("yes", 100000, 0, 100000),
          ("yes", 50000, 0, 50000), ("yes", 90000, 0, 90000)], first)
    check("and the invoice's register", amounts(first, "SQ_R_INVOICE_OVERDRAWN") == ("yes", 33335, 0, 33335), first)
    refused = net.must(*at, item, "--json").json
    check("a refused row shows the rule that decided with its numbers", refused["status"] == "SQ_R_CAP_YEAR" and not refused["accepted"] and
          amounts(refused, "SQ_R_CAP_YEAR") == ("no", 30000, 30000, 0) and refused["payable_fen"] == 0, refused)
    check("and the others, as they stood behind the rows before it", amounts(refused, "SQ_R_POOL_EXHAUSTED") == ("yes", 100000, 30000, 70000), refused)
    r = net.must(*at, item)
    check("people see a table in yuan", "refused: amount exceeds what is left of the holder's yearly cap" in r.out and "300.00" in r.out and "> " in r.out, r)

    # ---- decided by another node ----
    away_csv = net.write("away.csv", f"{HEADER}\n{voucher},3,10,26372000000000000001,10,7,2026-09-01\n{voucher},1,10,26372000000000000002,10,7,2025-09-01\n")
    r = net.run("submit", away_csv, "--receipts", "--json", node=SD, key=keys[SD])
    check("of a batch that goes to another region, one row is refused", r.code == 1 and r.json["refused"] == {"SQ_R_CAP_YEAR": 1}, r)
    seq = json.loads(net.read("away.csv.receipts"))["seq"]
    here = net.must("explain", f"{seq}.0", "--ledger", net.path(SD), "--json").json
    check("the acquirer's ledger names the refusal, and the node to ask", here["status"] == "SQ_R_CAP_YEAR" and here["ask_node"] == SH, here)
    r = net.must("explain", f"{seq}.0", "--ledger", net.path(SD))
    check("and the command to ask it with", f"explain {seq}.0 --acquirer {SD}" in r.out, r)
    there = net.must(*at, f"{seq}.0", "--acquirer", SD, "--json").json
    check("the issuer's ledger has the numbers", there["ask_node"] is None and amounts(there, "SQ_R_CAP_YEAR") == ("no", 30000, 30000, 0), there)
    there = net.must(*at, f"{seq}.1", "--acquirer", SD, "--json").json
    check("another year has a cap of its own", there["accepted"] and amounts(there, "SQ_R_CAP_YEAR") == ("yes", 30000, 0, 30000), there)

    late = net.write("late.csv", f"{HEADER}\n{voucher},1,10,26372000000000000003,10,7,2027-09-01\n")
    net.run("submit", late, "--receipts", node=SD, key=keys[SD])
    own = net.must("explain", f"{json.loads(net.read('late.csv.receipts'))['seq']}.0", "--ledger", net.path(SD), "--json").json
    check("what the acquirer refuses by itself is asked of nobody else", own["status"] == "SQ_R_SERVICE_DAY" and own["ask_node"] is None, own)
    twice = net.write("twice.csv", f"{HEADER}\n{voucher},1,10,26312000000000000001,10,7,2025-09-01\n")
    net.run("submit", twice, "--receipts", node=SD, key=keys[SD])
    r = net.must("explain", f"{json.loads(net.read('twice.csv.receipts'))['seq']}.0", "--ledger", net.path(SD))
    check("what an invoice's home refuses names that node", "refused: invoice" in r.out and f"Node {SH} is the home" in r.out, r)

    # ---- by invoice and by voucher; what an invoice's home says of another node's claim ----
    r = net.run(*at, "--invoice", "26312000000000000001")
    check("rows of one invoice are listed when there are several", r.code == 2 and f"--acquirer {SD}" in r.err and "2 rows" in r.err, r)
    claim = net.must(*at, "--invoice", "26312000000000000001", "--last", "--json").json
    check("the newest is a claim that the register has refused", (claim["acquirer"], claim["status"], claim["ask_node"]) == (SD, "SQ_R_INVOICE_SELLER", None) and
          amounts(claim, "SQ_R_INVOICE_OVERDRAWN") == ("no", 33335, 33335, 0), claim)
    only = net.must(*at, "--invoice", "26312000000000000002", "--json").json
    check("the only row of an invoice needs no choice", only["accepted"] and only["amount_fen"] == 20000, only)
    newest = net.must(*at, "--voucher", voucher, "--last", "--json").json
    check("a voucher's newest row is found", newest["acquirer"] == SD and newest["status"] == "SQ_R_INVOICE_SELLER", newest)
    abroad = net.write("abroad.csv", f"{HEADER}\n{voucher},2,10,26372000000000000009,10,7,2025-09-01\n")
    net.must("submit", abroad, node=SH, key=keys[SH])
    home = net.must("explain", "--invoice", "26372000000000000009", "--ledger", net.path(SD), "--json").json
    check("the home of an invoice shows what its register held, and who decides", (home["acquirer"], home["accepted"], home["ask_node"]) == (SH, True, SH) and
          amounts(home, "SQ_R_INVOICE_OVERDRAWN") == ("yes", 1000, 0, 1000), home)
    r = net.must("explain", "--invoice", "26372000000000000009", "--ledger", net.path(SD))
    check("people are told so", "home of its invoice" in r.out and f"LEDGER-OF-{SH}" in r.out, r)

    # ---- net debit cap and money in advance ----
    for who in ("maker", "checker"):
        net.must("cap", "set", SH, 5, "--role", who, node=SD, key=net.operator(SD, who))
    until = time.monotonic() + PATIENCE_S
    while not [c for c in net.must("cap", "--json", node=SH, key=net.operator(SH)).json["caps"] if c["debtor"] == SH and c["set"]]:
        assert time.monotonic() < until
    # one yuan is owed already, of the row that was accepted above
    over = net.write("over.csv", f"{HEADER}\n{voucher},4.01,100,26372000000000000011,100,7,2025-09-01\n")
    r = net.run("submit", over, "--receipts", "--json", node=SD, key=keys[SD])
    check("over the net debit cap a row is refused", r.json["refused"] == {"SQ_R_NET_DEBIT_CAP": 1}, r)
    seq = json.loads(net.read("over.csv.receipts"))["seq"]
    there = net.must(*at, f"{seq}.0", "--acquirer", SD, "--json").json
    check("which is explained with cap, what was used, and what was left", amounts(there, "SQ_R_NET_DEBIT_CAP") == ("no", 500, 100, 400) and there["payable_fen"] == 400, there)
    check("beside all other numbers", amounts(there, "SQ_R_CAP_CLAIM") == ("yes", 25000, 0, 25000), there)
    net.must("prefund", "enter", at_home, 3, "--programme", "310000/1", node=SH, key=net.key(f"issuer:{SH}"))
    paid = net.write("paid.csv", f"{HEADER}\n{voucher},4,100,26312000000000000021,100,7,2025-09-01\n")
    net.must("submit", paid, node=SH, key=keys[SH])
    advanced = net.must(*at, "--invoice", "26312000000000000021", "--json").json
    check("what money in advance pays is shown", (advanced["advance_fen"], advanced["advance_left_fen"]) == (300, 0) and first["advance_fen"] is None, advanced)
    check("to people too", "3.00" in net.must(*at, "--invoice", "26312000000000000021").out)
    for words, code, why in (((), 2, "say which row"), (("7.0", "--voucher", voucher), 2, "say which row"), (("--invoice", "12"), 2, "20 digits"),
                             (("--invoice", "26312000000000099999"), 5, "no row")):
        r = net.run(*at, *words)
        check(f"explain {' '.join(words)} says what is wrong", r.code == code and why in r.err, r)

    # ---- what cannot be explained ----
    for arguments, code, why in ((("7", ), 2, "SEQ.ROW"), ((f"{seq}.x", ), 2, "SEQ.ROW"), (("2.0", ), 5, "no batch"), ((f"{seq + 100000}.0", ), 5, "has not come"),
                                 ((f"{seq}.0", "--acquirer", "440000"), 5, "no node 440000")):
        r = net.run(*at, *arguments)
        check(f"explain {' '.join(arguments).replace(str(seq), 'SEQ')} says what is wrong", r.code == code and why in r.err, r)
done()
