"""Bundles across three real nodes, one of which is killed between reserve and commit: all parts are spent, or none; and what an operator sees."""
import json
import signal
import time

from network import PATIENCE_S, Network, check, done, patiently, uscc

SH, SD, GD = "310000", "370000", "440000"
NODES = (SH, SD, GD)
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day,bundle,reserve_until"
PROVIDER = uscc(31, 1)
MS = 1000
files = invoices = 0


def beijing(at_s):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_s + 8 * 3600))


LATER = beijing(time.time() + 30 * 86400)


with Network(NODES) as net:
    net.start_all()
    key = net.enrol("provider", PROVIDER, SH)
    voucher = {}
    for node in NODES:
        holder = uscc(int(node[:2]), 200)
        net.enrol("holder", holder, node)
        net.programme(node, 1, node)
        voucher[node] = net.grant(node, 1, holder, 100000, node)
        net.mandate(holder, PROVIDER, voucher[node], 100000, node)
    patiently(lambda: len(net.must("programme", "list", "--json", node=SH, key=net.operator(SH)).json["programmes"]) == 3)

    def money(node):
        """Spent and reserved of a node's own programme, in yuan."""
        p = [p for p in net.must("programme", "list", "--json", node=node, key=net.operator(node)).json["programmes"] if p["issuer"] == int(node)][0]
        return p["spent_fen"] // 100, p["reserved_fen"] // 100

    def rows(bundle, until, over=None):
        """100, 200 and 300 yuan; invoices are at home with the issuers."""
        global invoices
        lines = []
        for i, node in enumerate(NODES):
            invoices += 1
            amount = 100 * (i + 1)
            lines.append(f"{voucher[node]},{amount},{amount if node == over else 10 * amount},26{node[:2]}2{invoices:015d},{10 * amount},7,2026-01-05,{bundle},{until}")
        return lines

    def file_of(*lines):
        global files
        files += 1
        return net.write(f"jobs{files}.csv", "\n".join([HEADER, *lines]) + "\n")

    def submit(path, *more):
        return net.run("submit", path, "--json", *more, node=SH, key=key)

    def begin(path):
        return net.begin("submit", path, "--timeout", "120", node=SH, key=key)

    def overdue(node):
        peer = [p for p in net.status(node)["peers"] if p["node"] == SH][0]
        return peer["overdue_parts"], peer["overdue_since_ms"]

    def wants(*each):
        """So many yuan are spent at each node, and nothing is reserved."""
        return lambda: [money(n) for n in NODES] == [(yuan, 0) for yuan in each]

    # ---- as it should go ----
    r = submit(file_of(*rows(1, LATER), *rows(2, LATER)))
    check("two jobs of three parts each are spent at three nodes", r.code == 0 and r.json["accepted"] == 6 and wants(200, 400, 600)(), r)
    broken = file_of(*rows(5, LATER, over=GD), *rows(6, LATER))
    r = submit(broken)
    check("a part over its rate refuses its job and no other", r.code == 1 and r.json["accepted"] == 3 and
          r.json["refused"] == {"SQ_R_RATE_EXCEEDED": 1, "SQ_R_BUNDLE": 2} and patiently(wants(300, 600, 900)), r)
    refused = net.read(f"jobs{files}.csv.refused").splitlines()
    check("the refused rows stand together, as they were", len(refused) == 4 and [line.split(",", 4)[4].split(",", 1)[0] for line in refused[1:]] == [voucher[n] for n in NODES], refused)
    item = refused[1].split(",")[3]
    mended = net.write("mended.csv", "\n".join(refused).replace(f"{voucher[GD]},300,300,", f"{voucher[GD]},300,3000,") + "\n")
    r = submit(mended)
    check("mended, they are submitted as they are", r.code == 0 and r.json["accepted"] == 3 and patiently(wants(400, 800, 1200)), r)
    r = submit(file_of(*rows(1, LATER), *rows(1, LATER), rows(2, LATER)[0], rows(1, LATER)[0]), "--keep-going")
    check("a job whose rows are torn apart is not sent, even with --keep-going", r.code == 2 and "half a bundle" in r.err and wants(400, 800, 1200)(), r)

    # ---- an issuer dies between reserve and commit, the acquirer lives on ----
    net.stop(GD)
    running = begin(file_of(*rows(1, LATER)))
    check("what can be held is held while a node is down", patiently(lambda: money(SD) == (800, 200)), money(SD))
    net.stop(SD, signal.SIGKILL)
    net.start(SD)
    check("a node that was killed holds it still", money(SD) == (800, 200), money(SD))
    net.start(GD)
    check("when the missing one is back all parts are spent", running.wait(PATIENCE_S) == 0 and patiently(wants(500, 1000, 1500)), [money(n) for n in NODES])

    # ---- the acquirer dies between reserve and commit, in time ----
    net.stop(GD)
    path = file_of(*rows(1, LATER))
    running = begin(path)
    patiently(lambda: money(SD) == (1000, 200))
    net.stop(SH, signal.SIGKILL)
    running.kill()
    running.wait()
    net.start(GD)
    net.start(SH)
    check("an acquirer that was killed goes on from its ledger: all parts are spent", patiently(wants(600, 1200, 1800)), [money(n) for n in NODES])
    r = submit(path)
    check("and the provider, who asks again, hears so", r.code == 0 and r.json["accepted"] == 3 and wants(600, 1200, 1800)(), r)

    # ---- the acquirer is down when the time is over ----
    net.stop(GD)
    until = int(time.time()) + 12
    path = file_of(*rows(1, beijing(until)))
    running = begin(path)
    check("a part is held until a stated second", patiently(lambda: money(SD) == (1200, 200)) and overdue(SD)[0] == 0, money(SD))
    net.stop(SH, signal.SIGKILL)
    running.kill()
    running.wait()
    check("then it is overdue, and stays held", patiently(lambda: overdue(SD) == (1, until * MS)) and money(SD) == (1200, 200), (overdue(SD), until))
    said = net.must("status", node=SD, key=net.operator(SD)).out
    check("and an operator reads for whom", "1 parts of bundles are held for node 310000 past their time" in said, said)
    net.start(SH)
    check("at the issuer that is up at once", patiently(lambda: money(SD) == (1200, 0) and overdue(SD)[0] == 0), (money(SD), overdue(SD)))
    r = submit(path)
    check("the provider hears that time was over, though one node is down still", r.code == 1 and r.json["refused"] == {"SQ_R_EXPIRED": 3}, r)
    net.start(GD)
    check("and nothing is left anywhere", patiently(wants(600, 1200, 1800)) and patiently(lambda: net.status(SH)["totals"]["batches_waiting"] == 0), [money(n) for n in NODES])

    # ---- reading ----
    net.must("window", "cut", "--wait", "--timeout", PATIENCE_S, node=SH, key=net.operator(SH))
    for node in NODES:
        net.stop(node)
        r = net.run("audit", "--ledger", net.path(node), "--directory", net.directory, "--json")
        check(f"{node}: the ledger verifies", r.code == 0, r)
    items = [json.loads(line) for line in net.must("history", "--ledger", net.path(SH), "--all", "--json").out.splitlines()]
    items = [i for i in items if i.get("role") == "acquired"]
    jobs = {}
    for i in items:
        jobs.setdefault((i["batch"], i["bundle"]), set()).add(i["state"])
    check("in the history every job has one outcome", len(jobs) == 8 and all(len(states) == 1 and states <= {"accepted", "refused"} for states in jobs.values()), jobs)
    held = [json.loads(line) for line in net.must("history", "--ledger", net.path(SD), "--all", "--json").out.splitlines()]
    held = [i["verb"] for i in held if i.get("role") == "decided" and i["part_of_bundle"]]
    check("at the issuer it is told what was held, spent and let go", (held.count("reserve"), held.count("commit"), held.count("release")) == (8, 6, 2), held)
    paid = net.must("payout", 1, "--ledger", net.path(SH)).out
    check("payouts tie to the settlement", sum(line.startswith("1,") for line in paid.splitlines()) == 18, paid)
    why = net.must("explain", item, "--ledger", net.path(SH)).out
    check("a part that another one broke is explained as such, and nobody else need be asked", "another part of its bundle was refused" in why and
          "part of bundle 1, with rows [2,4]:" in why and "--acquirer" not in why, why)
    broke = item.split(".")[0] + ".4"
    why = net.must("explain", broke, "--ledger", net.path(SH), "--json").json
    check("of the one that broke it its issuer knows more", why["bundle"] == 1 and why["bundle_rows"] == [0, 2] and why["ask_node"] == GD, why)
    why = net.must("explain", broke, "--acquirer", SH, "--ledger", net.path(GD), "--json").json
    check("which tells the rule", why["status"] != 0 and not why.get("bundle"), why)
done()
