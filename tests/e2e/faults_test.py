"""A real node whose disk, memory or clock fails: it says what is wrong or goes on, and nothing acknowledged is lost or done twice.

FAULTS=all: at every write, sync and so on that a submission comes to; otherwise a few of each."""
import os
import random
import shutil
import signal
import subprocess
import time

from disk import HOLDER, NODE, PEER, PROVIDER, Preloaded, market, rows
from network import BUILD, PATIENCE_S, SANQUAND, Network, check, done

ALL = os.environ.get("FAULTS") == "all"
SEED = int(os.environ.get("SEED", "1"))
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
BATCHES, ROWS = 3, 5


def until(fact):
    end = time.monotonic() + PATIENCE_S
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Case:
    """One life of the node on a fresh copy of the ledger, with a fault; then another without."""

    def __init__(self, net, template, voucher, name):
        self.net, self.name = net, name
        shutil.rmtree(net.path(NODE))
        shutil.copytree(template, net.path(NODE))
        self.files = [net.write(f"{name}-{i}.csv", rows(voucher, 1 + i * ROWS, ROWS, elsewhere=0)) for i in range(BATCHES)]
        self.receipts = [path + ".receipts" for path in self.files]
        self.wrong = []

    def submit(self, path, *more):
        return self.net.run("submit", path, "--receipts", "--json", *more, node=NODE, key=self.net.key(f"provider:{PROVIDER}"))

    def suffer(self, **preload):
        """Start with the fault and work until the node ends, or all is done. Its exit code; None: it goes on."""
        log = open(self.net.path(f"{NODE}.log"), "w", encoding="utf-8")
        with log, Preloaded(**preload):
            self.process = subprocess.Popen([SANQUAND, "--config", self.net.path(f"{NODE}.yaml")], stderr=log)
        for path in self.files:
            client = self.net.begin("submit", path, "--receipts", "--json", "--timeout", "2", node=NODE, key=self.net.key(f"provider:{PROVIDER}"))
            while client.poll() is None and self.process.poll() is None:
                time.sleep(0.01)
            if client.poll() is None:
                client.send_signal(signal.SIGKILL)  # it would ask a node that has ended until its patience ends
            code, said = client.wait(), client.stderr.read()
            client.stderr.close()
            if code not in (0, 3, -signal.SIGKILL):
                self.wrong.append(f"{path}: exit {code}\n{said}")
            if self.process.poll() is not None:
                break
        code = self.process.poll()
        if code is None:
            self.process.kill()
            self.process.wait()
        return code

    def recover(self):
        """Without the fault: the same commands end what was begun, once; receipts given before and after are of the ledger."""
        self.net.start(NODE)
        for path in self.files:
            r = self.submit(path)
            if r.code != 0 or r.json["accepted"] != ROWS:
                self.wrong.append(f"afterwards, {path}: {r}")
        status = self.net.status(NODE)
        if status["totals"]["items_accepted"] != BATCHES * ROWS:
            self.wrong.append(f"accepted: {status['totals']}")
        self.net.stop(NODE)
        r = self.net.run("audit", "--ledger", self.net.path(NODE), "--directory", self.net.directory, *[p for p in self.receipts if os.path.exists(p)])
        if r.code != 0:
            self.wrong.append(str(r))

    def log(self):
        return self.net.read(f"{NODE}.log")


# ---- the disk ----

def disk_fails(net, template, voucher):
    cases = [(kind, n, error) for error in ("EIO", "ENOSPC") for kind, ns in (("write", (7,)), ("sync", (2,)), ("meta", (1,))) for n in ns]
    if ALL:
        cases = [(kind, n, error) for error in ("EIO", "ENOSPC", "EDQUOT") for kind, most in (("write", 10), ("sync", 4), ("meta", 4)) for n in range(1, most)]
        cases += [("any", f"{n}+", error) for error in ("EIO", "ENOSPC") for n in range(1, 16)]
    wrong, stopped, silent = [], 0, []
    for kind, n, error in cases:
        case = Case(net, template, voucher, f"{kind}{n}{error}")
        code = case.suffer(DISK_FAULT=f"{kind}:{n}:{error}")
        words = {"EIO": "Input/output error", "ENOSPC": "No space left", "EDQUOT": "quota"}[error]
        if code is not None:
            stopped += 1
            if code != 1 or words not in case.log():
                silent.append((case.name, code, case.log()[-300:]))
        case.recover()
        wrong += [(case.name, w) for w in case.wrong]
    print(f"# note: {len(cases)} faults of the disk; the node stopped at {stopped}")
    check("a write or sync that fails stops the node, which says why", not silent and stopped > len(cases) // 2, silent[:3])
    check("what it had acknowledged is there, and the same commands end what was begun, once", not wrong, wrong[:3])


# ---- memory ----

def memory_fails(net, template, voucher):
    dice = random.Random(SEED)
    shim = os.path.join(BUILD, "tests/preload/memory.so")
    cases = sorted({dice.randrange(1, 1 << dice.randrange(6, 17)) for _ in range(400 if ALL else 4)})
    wrong, died, ended = [], [], 0
    for n in cases:
        case = Case(net, template, voucher, f"memory{n}")
        code = case.suffer(LD_PRELOAD=shim, MEMORY_FAULT=str(n))
        ended += code is not None
        # libzmq and libstdc++ end a process that has no memory by abort(); whoever reads through NULL ends otherwise.
        if code is not None and code not in (1, 2, -signal.SIGABRT, 127):
            died.append((case.name, code, case.log()[-300:]))
        case.recover()
        wrong += [(case.name, w) for w in case.wrong]
    print(f"# note: {len(cases)} allocations failed; {ended} ended the node")
    check("an allocation that fails is noticed where it fails, or does not matter", not died, died[:3])
    check("and nothing is lost or done twice for it", not wrong, wrong[:3])


# ---- time ----

def clock_jumps(net, template, voucher):
    if not os.path.exists(FAKETIME):
        print("# skip: clock jumps: the package libfaketime is not installed")
        return
    case = Case(net, template, voucher, "clock")
    file = net.write("faketime", "+0")
    with Preloaded(LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=file, FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1"):
        net.start(NODE)
    seen = []
    for jump, path in zip(("+1d", "-1d", "+0"), case.files):
        net.write("faketime", jump)
        r = case.submit(path)
        seen.append(r.code == 0 and r.json["accepted"] == ROWS)
        r = net.run("window", "cut", "--wait", "--timeout", PATIENCE_S, node=NODE, key=net.operator(NODE))
        seen.append(r.code == 0)
    check("a wall clock that jumps a day on, two back and one on keeps nobody from his business, and windows close", all(seen), seen)
    windows = net.status(NODE)["open_window"]
    net.stop(NODE)
    r = net.run("audit", "--ledger", net.path(NODE), "--directory", net.directory, *case.receipts)
    check("the ledger verifies, whose time never goes back", r.code == 0 and windows == 4, (windows, r))
    case.recover()
    check("and after it nothing is lost or done twice", not case.wrong, case.wrong)


# ---- processes that stand still ----

def stands_still(net, voucher):
    net.processes[PEER].send_signal(signal.SIGSTOP)
    path = net.write("there.csv", rows(voucher, 3, 1, elsewhere=1))  # an invoice whose home is at the peer
    waiting = net.begin("submit", path, "--json", "--timeout", PATIENCE_S, node=NODE, key=net.key(f"provider:{PROVIDER}"))
    check("while a peer stands still, what needs it waits", until(lambda: net.status(NODE)["totals"]["batches_waiting"] == 1) and waiting.poll() is None,
          net.status(NODE)["totals"])
    check("and what does not is decided", net.grant(NODE, 1, HOLDER, 100, NODE) != voucher)
    net.processes[PEER].send_signal(signal.SIGCONT)
    check("when it goes on, that is decided too", waiting.wait(timeout=2 * PATIENCE_S) == 0)
    waiting.stderr.close()
    held = net.status(NODE)
    net.processes[NODE].send_signal(signal.SIGSTOP)
    asked = net.run("status", "--timeout", "1", node=NODE, key=net.operator(NODE))
    check("of a node that stands still a client says that there was no answer", asked.code == 3, asked)
    net.processes[NODE].send_signal(signal.SIGCONT)
    check("and the node goes on as it was", net.status(NODE)["totals"]["items_accepted"] == held["totals"]["items_accepted"] == 1, held["totals"])
    net.stop(PEER)
    net.stop(NODE)


with Network((NODE, PEER)) as net:
    net.start(NODE)
    net.start(PEER)
    voucher = market(net)
    stands_still(net, voucher)
if os.path.basename(os.path.abspath(BUILD)) in ("asan", "ubsan", "tsan"):
    print("# skip: faults of disk, memory and clock: what is preloaded for them and what a sanitizer puts in do not go together")
    done()
with Network((NODE,)) as net:
    net.start(NODE)
    voucher = market(net)
    net.stop(NODE)
    template = net.path("template")
    shutil.copytree(net.path(NODE), template)
    for fault in (disk_fails, memory_fails, clock_jumps):
        began = time.monotonic()
        fault(net, template, voucher)
        print(f"# {fault.__name__}: {time.monotonic() - began:.1f} s")
done()
