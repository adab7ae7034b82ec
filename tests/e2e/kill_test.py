"""Three nodes under load, each killed fifty times at random moments while windows are cut: nothing receipted is lost, nothing happens twice."""
import json
import os
import random
import signal
import threading
import time

from network import PATIENCE_S, Network, check, done, uscc

KILLS = int(os.environ.get("KILLS", "50"))  # of each node
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
NODES = ("310000", "370000", "440000")
ROWS, BATCH = 400, 40
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day,bundle,reserve_until"
UNTIL = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86400))
print(f"# note: seed {SEED}, {KILLS} kills of each node")


class Provider(threading.Thread):
    """Submits file after file, each until it is through, as long as there are kills."""

    def __init__(self, net, number, node, code, vouchers, over):
        super().__init__()
        self.net, self.number, self.node, self.code, self.vouchers, self.over = net, number, node, code, vouchers, over
        self.dice = random.Random(f"{SEED}/{number}")
        self.invoice, self.files, self.broken, self.error = 0, [], 0, None
        self.sent, self.refused = 0, 0

    def pair(self, bundle):
        """Two rows, now and then of one bundle, on vouchers of whatever regions: what refuses one of them refuses both."""
        wrong = [self.dice.randrange(25) == 0 for _ in range(2)]
        together = self.dice.randrange(4) == 0
        self.refused += 2 * any(wrong) if together else sum(wrong)
        return [self.row(w) + (f",{bundle},{UNTIL}" if together else ",,") for w in wrong]

    def row(self, wrong):
        self.invoice += 1
        base = self.dice.randrange(100, 9000)
        province = self.node[:2] if self.dice.randrange(5) else "37"  # an invoice of another region's home now and then
        return f"{self.dice.choice(self.vouchers)},{base * (9 if wrong else 3) // 10},{base},26{province}2{self.number:03d}{self.invoice:012d},{base},rent,2026-01-05"

    def run(self):
        try:
            while not self.over.is_set() or not self.files:
                path = self.net.write(f"{self.number}-{len(self.files)}.csv", "\n".join([HEADER, *(row for k in range(ROWS // 2) for row in self.pair(k + 1))]) + "\n")
                self.files.append(path)
                self.sent += ROWS
                self.through(path)
        except Exception as e:  # pylint: disable=broad-except
            self.error = e

    def through(self, path):
        """The same command again, as often as the network breaks off."""
        until = time.monotonic() + 3 * PATIENCE_S
        while time.monotonic() < until:
            r = self.net.run("submit", path, "--batch-rows", BATCH, "--receipts", "--json", "--timeout", "10", node=self.node, key=self.net.key(f"provider:{self.code}"))
            if r.code in (0, 1) and r.json.get("rows") == ROWS:
                return
            if r.code != 3:
                raise AssertionError(f"{path}: {r}")
            self.broken += 1
        raise AssertionError(f"{path} does not come through")


class Killer(threading.Thread):
    def __init__(self, net, node):
        super().__init__()
        self.net, self.node, self.dice = net, node, random.Random(f"{SEED}/{node}")
        self.kills, self.error, self.restarts = 0, None, []

    def run(self):
        try:
            for _ in range(KILLS):
                time.sleep(self.dice.random() * 0.5)
                self.net.stop(self.node, signal.SIGKILL)
                self.kills += 1
                time.sleep(self.dice.random() * 0.1)
                began = time.monotonic()
                self.net.start(self.node)
                self.restarts.append(time.monotonic() - began)
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e


def cut(net, node, over, dice):
    """Windows are cut while nodes die; an operator whom nobody answers tries again later."""
    while not over.is_set():
        over.wait(1 + 2 * dice.random())
        net.run("window", "cut", "--timeout", "2", node=node, key=net.operator(node))


def market(net):
    vouchers = {node: [] for node in NODES}
    codes = {node: uscc(int(node[:2]), 100) for node in NODES}
    for node in NODES:
        net.enrol("provider", codes[node], node)
    for issuer, node in (("310000", "310000"), ("370000", "370000"), ("440300", "440000")):
        holder = uscc(int(issuer[:2]), 200)
        net.enrol("holder", holder, node)
        net.programme(issuer, 1, node, pool="100亿")
        for provider in NODES:
            voucher = net.grant(issuer, 1, holder, 900000000, node)
            net.mandate(holder, codes[provider], voucher, 900000000, node)
            vouchers[provider].append(voucher)
    return codes, vouchers


def wait_for(fact, what):
    until = time.monotonic() + 2 * PATIENCE_S
    while not fact():
        assert time.monotonic() < until, what
        time.sleep(0.1)


def items_of(net, node):
    out = net.must("history", "--ledger", net.path(node), "--all", "--json").out
    return [line for line in map(json.loads, out.splitlines()) if line.get("role") == "acquired"]


def settled_windows(net, node, last):
    return [net.must("settle", n, "--ledger", net.path(node), "--json").json for n in range(1, last + 1)]


def load(net):
    codes, vouchers = market(net)
    over = threading.Event()
    providers = [Provider(net, i, node, codes[node], vouchers[node], over) for i, node in enumerate(NODES)]
    killers = [Killer(net, node) for node in NODES]
    cutter = threading.Thread(target=cut, args=(net, NODES[0], over, random.Random(SEED)))
    for t in (*providers, *killers, cutter):
        t.start()
    for t in killers:
        t.join()
    over.set()
    for t in (*providers, cutter):
        t.join()
    check(f"each node was killed {KILLS} times and came back each time", all(k.error is None and k.kills == KILLS for k in killers),
          [(k.node, k.kills, str(k.error)) for k in killers])
    restarts = sorted(s for k in killers for s in k.restarts)
    if restarts:
        print(f"# note: {len(restarts)} kills; from start to the first answer: p50 {restarts[len(restarts) // 2]:.2f} s, "
              f"p99 {restarts[len(restarts) * 99 // 100]:.2f} s, longest {restarts[-1]:.2f} s")
    check("every file came through in the end", all(p.error is None for p in providers), [str(p.error) for p in providers])
    print(f"# note: {sum(p.sent for p in providers)} rows in {sum(len(p.files) for p in providers)} files, {sum(p.broken for p in providers)} runs broken off")
    return providers


def settle(net):
    """Cut what is open until a window has been cut after the last item, and all nodes have it final."""
    wait_for(lambda: all(net.status(n)["totals"]["batches_waiting"] == 0 for n in NODES), "batches wait for ever")
    last = net.status(NODES[0])["open_window"]
    net.must("window", "cut", "--wait", "--timeout", PATIENCE_S, node=NODES[0], key=net.operator(NODES[0]))
    wait_for(lambda: all(net.status(n)["open_window"] > last for n in NODES), "a window stays open")
    ask = {n: ("window", last, "--json") for n in NODES}
    wait_for(lambda: all(net.must(*ask[n], node=n, key=net.operator(n)).json["final_ms"] > 0 for n in NODES), "the last window is not final everywhere")
    return last


def afterwards(net, providers, last):
    for node, p in zip(NODES, providers):
        net.stop(node)
        lines = [line for path in p.files for line in net.read(os.path.basename(path) + ".receipts").splitlines()]
        check(f"{node}: every batch has one receipt", len(lines) == p.sent // BATCH, (len(lines), p.sent // BATCH))
        r = net.run("audit", "--ledger", net.path(node), "--directory", net.directory, "--json", *[path + ".receipts" for path in p.files])
        check(f"{node}: the ledger verifies, and every receipt is of it", r.code == 0 and r.json["receipts"] == len(lines), r)
        items = items_of(net, node)
        check(f"{node}: every row is there once", len(items) == p.sent and len({i["invoice"] for i in items}) == p.sent, (len(items), p.sent))
        check(f"{node}: and has one outcome", {i["state"] for i in items} == {"accepted", "refused"} and
              sum(i["state"] == "refused" for i in items) == p.refused and {i.get("refusal_name") for i in items} == {None, "SQ_R_RATE_EXCEEDED", "SQ_R_BUNDLE"},
              (p.refused, {i.get("refusal_name") for i in items}))
        bundles = {}
        for i in items:
            if "bundle" in i:
                bundles.setdefault((i["batch"], i["bundle"]), []).append(i["state"])
        check(f"{node}: no bundle is half spent", bundles and all(states in (["accepted"] * 2, ["refused"] * 2) for states in bundles.values()), bundles)
        check(f"{node}: every obligation is in a window that is final", all(1 <= i["window"] <= last for i in items if i["state"] == "accepted"))
    windows = {n: settled_windows(net, n, last) for n in NODES}
    hashes = {n: [w.get("settlement_hash") for w in windows[n]] for n in NODES}
    check(f"all nodes hold the same {last} settlements, byte for byte", len(set(map(tuple, hashes.values()))) == 1 and None not in hashes[NODES[0]], hashes)
    nets = {}
    for w in windows[NODES[0]]:
        for p in w["nets"]:
            nets[w["window"], p["kind"]] = nets.get((w["window"], p["kind"]), 0) + p["net_fen"]
    check("nets sum to zero in each window", nets and not any(nets.values()), nets)
    owed = sum(fen for w in windows[NODES[0]] for p in w["pairs"] for fen in p["total_fen"])
    across = sum(i["amount_fen"] for n in NODES for i in items_of(net, n) if i["state"] == "accepted" and i["creditor"] != i["debtor"])
    check("what was settled is what the accepted rows across regions add up to", owed == across > 0, (owed, across))


with Network(NODES, hosts=(("440300", "440000"),)) as net:
    net.start_all()
    providers = load(net)
    afterwards(net, providers, settle(net))
done()
