"""Two nodes on two machines: each in a network namespace of its own, a cable between them that is pulled, and a way that leads nowhere."""
import os
import random
import shutil
import subprocess
import time

import network
from disk import NODE, PEER, PROVIDER, market, rows
from network import PATIENCE_S, SANQUAND, Network, check, done

HERE, THERE = f"sq{os.getpid()}a", f"sq{os.getpid()}b"  # the namespaces, and the ends of the cable
ADDRESS = {NODE: "10.231.77.1", PEER: "10.231.77.2"}
SPACE = {NODE: HERE, PEER: THERE}
FLAPS = int(os.environ.get("FLAPS", "6"))


def ip(*arguments):
    return subprocess.run(["ip", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def make_cable():
    """None, or why not."""
    steps = [("netns", "add", HERE), ("netns", "add", THERE), ("link", "add", HERE, "netns", HERE, "type", "veth", "peer", "name", THERE, "netns", THERE)]
    for code, space in SPACE.items():
        steps += [("-n", space, "addr", "add", ADDRESS[code] + "/24", "dev", space), ("-n", space, "link", "set", "lo", "up"), ("-n", space, "link", "set", space, "up")]
    for step in steps:
        made = ip(*step)
        if made.returncode != 0:
            return made.stdout.strip()
    return None


def remove_cable():
    ip("netns", "del", HERE)
    ip("netns", "del", THERE)


def pull(space):
    ip("-n", space, "link", "set", space, "down")


def plug(space):
    ip("-n", space, "link", "set", space, "up")


def lose(code, to):
    """What `code` sends to `to` goes to a card that nobody has; what it receives still arrives."""
    ip("-n", SPACE[code], "neigh", "replace", ADDRESS[to], "lladdr", "02:00:00:00:00:99", "dev", SPACE[code])


def find(code, to):
    ip("-n", SPACE[code], "neigh", "del", ADDRESS[to], "dev", SPACE[code])


class Machines(Network):
    """As Network, each node and whoever speaks to it in the node's own namespace."""

    def _configure(self, code):
        other = PEER if code == NODE else NODE
        self.write(f"{code}.yaml", f'node: "{code}"\ndirectory: {self.directory}\nkeys: {self.key("node:" + code)}\nledger: {self.path(code)}\n'
                   f'bind: tcp://{ADDRESS[code]}:7001\npeers:\n  - {{code: "{other}", endpoint: "tcp://{ADDRESS[other]}:7001"}}\n')
        made = self.run("init", "--config", self.path(f"{code}.yaml"))
        assert made.code == 0, made

    def environment(self, node=None, key=None):
        e = super().environment(node, key)
        if node is not None:
            e["SANQUAN_CONNECT"] = f"{ADDRESS[node]}:7001"
        return e

    def run(self, *arguments, node=None, key=None, text=None):
        inside = ["ip", "netns", "exec", SPACE[node]] if node is not None else []
        return network.Result(subprocess.run([*inside, network.SANQUAN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, input=text,
                                             env=self.environment(node, key)))

    def start(self, code):
        with open(self.path(f"{code}.log"), "a", encoding="utf-8") as log:
            self.processes[code] = subprocess.Popen(["ip", "netns", "exec", SPACE[code], SANQUAND, "--config", self.path(f"{code}.yaml")], stderr=log)
        assert until(lambda: self.run("status", "--json", "--timeout", "1", node=code, key=self.operator(code)).code == 0), self.read(f"{code}.log")


def until(fact):
    end = time.monotonic() + 2 * PATIENCE_S
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def submit(net, voucher, first, count, elsewhere, *more):
    path = net.write(f"batch-{first}.csv", rows(voucher, first, count, elsewhere))
    return net.run("submit", path, "--json", *more, node=NODE, key=net.key(f"provider:{PROVIDER}"))


def accepted(net):
    return net.status(NODE)["totals"]["items_accepted"]


def trouble(net, voucher, name, begin, end, first):
    """Local business goes on, what needs the other side waits, and comes through when it is there again. Items accepted since: 8."""
    before = accepted(net)
    begin()
    local = submit(net, voucher, first, 5, 0)
    check(f"{name}: what needs nobody else is decided", local.code == 0 and local.json["accepted"] == 5, local)
    across = submit(net, voucher, first + 100, 3, 1, "--timeout", "1")
    check(f"{name}: what needs the other node is neither accepted nor refused", across.code == 3 and accepted(net) == before + 5, across)
    end()
    check(f"{name}: afterwards it is decided, once", until(lambda: accepted(net) == before + 8), net.status(NODE)["totals"])
    again = submit(net, voucher, first + 100, 3, 1)
    check(f"{name}: and told to who asks again", again.code == 0 and again.json["accepted"] == 3 and accepted(net) == before + 8, again)


def flap(net, voucher):
    """The cable is loose."""
    dice, before = random.Random(7), accepted(net)
    for i in range(FLAPS):
        pull(THERE)
        time.sleep(dice.random() / 10)
        plug(THERE)
        r = submit(net, voucher, 5001 + 3 * i, 3, 1, "--timeout", PATIENCE_S)
        if r.code != 0:
            check("through a loose cable a batch comes in the end", False, r)
    check("a loose cable loses nothing and doubles nothing", accepted(net) == before + 3 * FLAPS, (before, accepted(net)))


def tests(net):
    net.start_all()
    voucher = market(net)
    r = submit(net, voucher, 1, 3, 1)
    check("two nodes on two machines clear with each other", r.code == 0 and r.json["accepted"] == 3, r)
    trouble(net, voucher, "a pulled cable", lambda: pull(THERE), lambda: plug(THERE), 1001)
    trouble(net, voucher, "a node that is heard and does not hear", lambda: lose(PEER, NODE), lambda: find(PEER, NODE), 2001)
    trouble(net, voucher, "a node that hears and is not heard", lambda: lose(NODE, PEER), lambda: find(NODE, PEER), 3001)
    flap(net, voucher)
    window = net.status(NODE)["open_window"]
    net.must("window", "cut", "--wait", "--timeout", PATIENCE_S, node=NODE, key=net.operator(NODE))
    check("both come to the same end of the window", until(lambda: all(net.status(code)["open_window"] > window for code in net.codes)))
    for code in net.codes:
        net.stop(code)
    settled = []
    for code in net.codes:
        r = net.run("audit", "--ledger", net.path(code), "--directory", net.directory, "--json")
        check(f"the ledger of {code} verifies", r.code == 0, r)
        settled.append(net.must("settle", window, "--ledger", net.path(code), "--json").json.get("settlement_hash"))
    check("byte for byte", settled[0] == settled[1] is not None, settled)


try:
    why_not = "there is no ip" if shutil.which("ip") is None else make_cable()
    if why_not is not None:
        print(f"# skip: network faults between real processes: no network namespaces here ({why_not})")
        check("without namespaces nothing is tested here", True)
    else:
        with Machines((NODE, PEER)) as machines:
            tests(machines)
finally:
    remove_cable()
done()
