"""sanquan submit against a real node: bad lines, refused rows, broken-off runs, killed nodes, two runs with one key."""
import json
import os
import random
import shutil
import signal
import time

from network import Network, check, done, uscc

NODE = "310000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
random.seed(20260901)
invoices = 0


def row(voucher, amount="1.50", base="10.00"):
    global invoices
    invoices += 1
    return f"{voucher},{amount},{base},2631200000{invoices:010d},10.00,7,2026-09-01"


def file_of(net, name, rows):
    return net.write(name, "\n".join([HEADER, *rows]) + "\n")


def totals(net):
    return net.status(NODE)["totals"]


with Network((NODE,)) as net:
    net.start_all()
    provider, holder = uscc(31, 1), uscc(31, 2)
    key = net.enrol("provider", provider, NODE)
    net.enrol("holder", holder, NODE)
    net.programme(NODE, 1, NODE)
    voucher = net.grant(NODE, 1, holder, 5000000, NODE)
    net.mandate(holder, provider, voucher, 5000000, NODE)
    as_provider = {"node": NODE, "key": key}

    # ---- bad lines ----
    bad = file_of(net, "bad.csv", [row(voucher), row(voucher).replace("2026-09-01", "2026-02-30"), row(voucher, amount="x"), row(voucher)])
    before = net.status(NODE)["seq"]
    r = net.run("submit", bad, **as_provider)
    check("a file with bad lines is not sent: line, field, value and reason are told",
          r.code == 2 and f'{bad}:3: service_day "2026-02-30": ' in r.err and f'{bad}:4: amount_yuan "x": ' in r.err, r)
    check("and neither the node nor the disk knows of it", net.status(NODE)["seq"] == before and not os.path.exists(bad + ".progress"), before)
    r = net.run("submit", bad, "--json", **as_provider)
    check("with --json the bad lines are a list beside the error", r.code == 2 and r.json["error"]["status"] == "SQ_E_FORMAT" and
          [(p["line"], p["field"]) for p in r.json["problems"]] == [(3, "service_day"), (4, "amount_yuan")], r)
    r = net.run("submit", bad, "--keep-going", "--json", **as_provider)
    check("--keep-going sends the good lines and says so in its exit code", r.code == 1 and r.json["accepted"] == 2 and r.json["bad_lines"] == 2, r)

    # ---- refused rows ----
    rows = [row(voucher) for _ in range(9)] + [row(voucher, amount="9.00")]
    some = file_of(net, "some.csv", rows)
    r = net.run("submit", some, "--receipts", "--json", **as_provider)
    check("rows that a rule refuses are counted by reason", r.code == 1 and r.json["accepted"] == 9 and r.json["amount_fen"] == 1350 and
          r.json["refused"] == {"SQ_R_RATE_EXCEEDED": 1}, r)
    refused = net.read("some.csv.refused").splitlines()
    check("and stand in FILE.refused with line, reason and all their columns",
          len(refused) == 2 and refused[1].startswith("11,SQ_R_RATE_EXCEEDED,") and refused[1].endswith(rows[-1]), refused)
    receipt = json.loads(net.read("some.csv.receipts"))
    check("the receipt is kept", receipt["rows"] == 10 and receipt["accepted"] == 9 and len(receipt["envelope"]) > 500, receipt)
    mended = net.write("mended.csv", "\n".join(refused).replace(",9.00,", ",3.00,") + "\n")
    r = net.run("submit", mended, "--json", **as_provider)
    check("mended, FILE.refused is submitted as it is", r.code == 0 and r.json["accepted"] == 1, r)

    # ---- the same file again ----
    before = totals(net)["items_received"]
    r = net.run("submit", some, "--json", **as_provider)
    check("a file that was sent is not sent again; the same result comes out", r.code == 1 and r.json["sent_before"] and r.json["accepted"] == 9 and
          totals(net)["items_received"] == before, r)
    with open(some, "a", encoding="utf-8") as f:
        f.write(row(voucher) + "\n")
    r = net.run("submit", some, **as_provider)
    check("a file that was changed after it was sent is refused", r.code == 2 and "has changed" in r.err and totals(net)["items_received"] == before, r)

    # ---- JSON lines ----
    lines = net.write("lines.jsonl", "".join(json.dumps({"voucher": voucher, "amount_fen": 150, "base_fen": 1000, "invoice": f"26312999{i:012d}",
                                                         "invoice_total_fen": 1000, "service": 7, "service_day": 20260901}) + "\n" for i in range(1, 4)))
    r = net.run("submit", lines, "--json", **as_provider)
    check("JSON lines are taken too", r.code == 0 and r.json["accepted"] == 3 and r.json["amount_fen"] == 450, r)

    # ---- reservations ----
    held = net.write("held.csv", HEADER + ",verb,reservation,reserve_until\n"
                     f"{voucher},2.00,10.00,,,7,2026-09-01,reserve,1,{time.strftime('%Y-%m-%d', time.gmtime(time.time() + 20 * 86400))}\n"
                     f"{voucher},2.00,10.00,,,7,2026-09-01,reserve,2,{time.strftime('%Y-%m-%d', time.gmtime(time.time() + 30 * 86400))}\n"
                     f"{row(voucher)},commit,1,\n{voucher},2.00,,,,,2026-09-01,release,2,\n")
    r = net.run("submit", held, "--json", **as_provider)
    check("reservations with two ends go in two batches, and are committed and released", r.code == 0 and r.json["batches"] == 2 and
          r.json["accepted"] == 4 and r.json["amount_fen"] == 150, r)

    # ---- broken-off runs ----
    ROWS, BATCH = 6000, 50
    big = [row(voucher, amount="9.00" if i % 100 == 7 else "1.00") for i in range(ROWS)]
    before = totals(net)

    def submit_with_kills(name, rows, victim):
        path = file_of(net, name, rows)
        arguments = ("submit", path, "--receipts", "--batch-rows", BATCH, "--timeout", 3, "--json")
        kills = 0
        for i in range(200):  # first at once, then later and later, until one comes to its end
            process = net.begin(*arguments, **as_provider)
            time.sleep(random.uniform(i, i + 1) * 0.004)
            if process.poll() is None:
                kills += victim(process)
            process.communicate()
            if process.returncode in (0, 1):
                break
        return path, net.run(*arguments, **as_provider), kills

    def kill_client(process):
        process.kill()
        return 1

    def kill_node(process):
        net.stop(NODE, signal.SIGKILL)
        if random.random() < 0.5:
            process.kill()
        net.start(NODE)
        return 1

    for victim, who in ((kill_client, "client"), (kill_node, "node")):
        rows = [row(voucher, amount="9.00" if i % 100 == 7 else "1.00") for i in range(ROWS)]
        was = totals(net)
        path, r, kills = submit_with_kills(f"{who}.csv", rows, victim)
        check(f"a run whose {who} is killed at random moments ends when it is run again (at least one kill)",
              kills > 0 and r.code == 1 and r.json["rows"] == ROWS and r.json["accepted"] == ROWS - ROWS // 100, f"{kills} kills\n{r}")
        now = totals(net)
        check(f"nothing of it was done twice or left out ({who} killed)", now["items_received"] - was["items_received"] == ROWS and
              now["items_accepted"] - was["items_accepted"] == ROWS - ROWS // 100 and "SQ_R_INVOICE_OVERDRAWN" not in now["refused"], now)
        listed = [line.split(",")[0] for line in net.read(f"{who}.csv.refused").splitlines()[1:]]
        check(f"each refused row is listed once ({who} killed)", sorted(map(int, listed)) == [i + 2 for i in range(ROWS) if i % 100 == 7], listed)
        receipts = [json.loads(line) for line in net.read(f"{who}.csv.receipts").splitlines()]
        check(f"each batch has one receipt ({who} killed)", sorted(x["batch"] for x in receipts) == list(range(ROWS // BATCH)), len(receipts))

    # ---- one key, two places ----
    elsewhere = net.path("elsewhere.key")
    shutil.copy(key, elsewhere)
    os.chmod(elsewhere, 0o600)
    was = totals(net)
    files = [file_of(net, f"twice{k}.csv", [row(voucher, amount="1.00") for _ in range(1000)]) for k in range(2)]
    running = [net.begin("submit", path, "--batch-rows", 20, node=NODE, key=k) for path, k in zip(files, (key, elsewhere))]
    said = [p.communicate()[1] for p in running]
    codes = [p.returncode for p in running]
    now = totals(net)
    check("two runs with copies of one key both end, each number used once", codes == [0, 0] and now["items_accepted"] - was["items_accepted"] == 2000,
          f"{codes} {said} {now}")

    # ---- who may, and where ----
    r = net.run("submit", files[0].replace("twice0", "some"), node=NODE, key=net.key(f"holder:{holder}"))
    check("another's progress is not gone on with", r.code == 2, r)
    fresh = file_of(net, "fresh.csv", [row(voucher)])
    r = net.run("submit", fresh, node=NODE, key=net.key(f"holder:{holder}"))
    check("a holder may not submit: the node's refusal is told", r.code == 1 and "sender's role may not send this" in r.err, r)
    lone = file_of(net, "lone.csv", [row(voucher)])
    r = net.run("submit", lone, "--connect", "127.0.0.1:1", "--timeout", "1", **as_provider)
    check("a node that is not there is a network failure", r.code == 3 and "does not answer" in r.err, r)
    r = net.run("submit", lone, "--json", **as_provider)
    check("and the same command goes on when it is there", r.code == 0 and r.json["accepted"] == 1, r)
    r = net.run("submit", lone)
    check("what is missing is named", r.code == 2 and "--directory" in r.err, r)
done()
