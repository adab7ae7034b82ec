"""What strangers, wrong files and full disks do to a real node: it says what is wrong, changes nothing, loses nothing, and goes on."""
import concurrent.futures
import json
import os
import shutil
import signal
import socket
import struct
import subprocess

from network import BUILD, PATIENCE_S, SANQUAND, Network, check, done, patiently, uscc

NODE = "310000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROVIDER, HOLDER = uscc(31, 1), uscc(31, 2)
RSS_MOST_KIB = 64 << 10  # what an attack may cost a node, at most: a few of the largest frames
invoices = 0


def rows(voucher, count=1, amount="3", base="10", day="2026-01-05"):
    global invoices
    lines = []
    for _ in range(count):
        invoices += 1
        lines.append(f"{voucher},{amount},{base},2631200000{invoices:010d},{base},rent,{day}")
    return "\n".join([HEADER, *lines]) + "\n"


def market(net):
    """A provider, a holder, a voucher of 1,000 yuan and a mandate; the voucher's number."""
    net.enrol("provider", PROVIDER, NODE)
    net.enrol("holder", HOLDER, NODE)
    net.programme(NODE, 1, NODE)
    voucher = net.grant(NODE, 1, HOLDER, 1000, NODE)
    net.mandate(HOLDER, PROVIDER, voucher, 900, NODE)
    return voucher


def submit(net, name, text, *more):
    return net.run("submit", net.write(name, text), *more, "--json", node=NODE, key=net.key(f"provider:{PROVIDER}"))


def spent(net, voucher):
    lines = net.must("history", "--ledger", net.path(NODE), "--voucher", voucher, "--json").out.splitlines()
    return json.loads(lines[-1])["totals"]["accepted_fen"]


def audit(net, path=None):
    return net.run("audit", "--ledger", path or net.path(NODE), "--directory", net.directory, "--json")


# ---- strangers on the wire ----

GREETING = b"\xff" + b"\0" * 7 + b"\x01\x7f\x03\x00"


def greeting(mechanism):
    return GREETING + mechanism.ljust(20, b"\0") + b"\0" * 32


def attack(port, first, rest=b"", megabytes=0):
    """Send, then as many megabytes of it as the node takes; True when the node cut the connection, or took no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.settimeout(10)
        try:
            s.sendall(first)
            for _ in range(megabytes):
                s.sendall((rest or b"\0") * ((1 << 20) // max(1, len(rest))))
            while s.recv(65536):
                pass
            return True
        except socket.timeout:
            return False
        except OSError:
            return True


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def strangers(net):
    port, pid = net.ports[NODE], net.processes[NODE].pid
    before, memory = net.status(NODE), resident_kib(pid)
    noise = bytes(range(256))[::-1] * 4096
    attacks = {
        "what is no protocol at all": (b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",),
        "a megabyte of noise": (noise,),
        "a peer without encryption": (greeting(b"NULL") + b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x06DEALER",),
        "a password": (greeting(b"PLAIN") + b"\x04\x08\x05HELLO\x00\x00",),
        "noise where the encrypted hello belongs": (greeting(b"CURVE") + b"\x04\xc8\x05HELLO" + noise[:194],),
        "a frame of an exabyte": (greeting(b"CURVE") + b"\x06" + struct.pack(">Q", 1 << 60), b"\0", 32),
        "a frame of a gigabyte": (greeting(b"CURVE") + b"\x02" + struct.pack(">Q", 1 << 30), b"\0", 32),
    }
    with concurrent.futures.ThreadPoolExecutor(len(attacks)) as several:
        attacks = {name: several.submit(attack, port, *how) for name, how in attacks.items()}
    attacks = {name: tried.result() for name, tried in attacks.items()}
    for name, cut in attacks.items():
        check(f"{name} is cut", cut)
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    served = submit(net, "meanwhile.csv", rows(net.voucher))
    check("two hundred connections that say nothing keep nobody from his business", served.code == 0, served)
    for s in idle:
        s.close()
    check("strangers cost a bounded amount of memory", resident_kib(pid) - memory < RSS_MOST_KIB, (memory, resident_kib(pid)))
    now = net.status(NODE)["connections"]
    check("they are counted", now["accepted"] - before["connections"]["accepted"] >= 200 + len(attacks) and
          now["accepted"] - now["established"] >= 200 + len(attacks), now)

    unknown = net.keygen("provider:" + uscc(31, 99))
    asked = net.run("status", "--timeout", "2", node=NODE, key=unknown)
    check("who is not enrolled gets no answer, and is told what that may mean", asked.code == 3 and "not enrolled" in asked.err, asked)
    check("and is counted too", net.status(NODE)["connections"]["denied"] > now["denied"])
    os.rename(net.key(f"provider:{PROVIDER}"), net.path("true.key"))
    net.keygen(f"provider:{PROVIDER}")
    asked = net.run("status", "--timeout", "2", node=NODE, key=net.key(f"provider:{PROVIDER}"))
    check("the right name with another key is a stranger", asked.code == 3, asked)
    os.replace(net.path("true.key"), net.key(f"provider:{PROVIDER}"))
    check("none of it is in the journal", net.status(NODE)["seq"] == before["seq"] + 1, (before["seq"], net.status(NODE)["seq"]))

    other = net.write("other.yaml", net.read("directory.yaml").replace("network: test", "network: other"))
    asked = net.run("status", "--directory", other, "--timeout", "3", node=NODE, key=net.key(f"provider:{PROVIDER}"))
    check("a message for another network is refused by name", asked.code == 1 and "another network" in asked.err, asked)
    written = lambda: net.must("history", "--ledger", net.path(NODE), "--refusals", "--json").json["rejected"].get("SQ_R_WRONG_NETWORK", 0) >= 1
    check("and written down, with the next commit", patiently(written))


# ---- rows that the rules refuse ----

def rules(net, voucher):
    before = spent(net, voucher)
    cases = {
        "SQ_R_VOUCHER_OVERDRAWN": rows(net.small, amount="30", base="100"),
        "SQ_R_MANDATE_OVERDRAWN": rows(voucher, amount="950", base="9000"),
        "SQ_R_MANDATE_EXPIRED": rows(net.expired),
        "SQ_R_SERVICE_DAY": rows(voucher, day="2024-12-31"),
        "SQ_R_RATE_EXCEEDED": rows(voucher, amount="9"),
        "SQ_R_INVOICE_OVERDRAWN": rows(voucher).replace(",10,rent", ",9,rent"),
    }
    for reason, text in cases.items():
        r = submit(net, f"{reason}.csv", text)
        check(f"{reason} is told to who asked", r.code == 1 and r.json["refused"] == {reason: 1}, r)
    found = net.must("history", "--ledger", net.path(NODE), "--refusals", "--json").json["items"]["refused_by_code"]
    check("each is in the journal under its own name", all(found.get(reason) == 1 for reason in cases), found)
    check("and nothing was spent", spent(net, voucher) == before, (before, spent(net, voucher)))
    seq = net.status(NODE)["seq"]
    wrong = net.run("holder", "enrol", net.write("wrong.csv", f"uscc,key\n{HOLDER[:-1]}X,{'0' * 64}\n"), node=NODE, key=net.operator(NODE))
    check("a wrong check character of an organisation's code is told before anything is sent", wrong.code == 2 and "wrong.csv:2" in wrong.err and
          net.status(NODE)["seq"] == seq, wrong)


# ---- ledgers that do not belong, or are damaged ----

def start_fails(net, config, words):
    r = subprocess.run([SANQUAND, "--config", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
    return r.returncode not in (0, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT) and all(w in r.stdout for w in words), r.stdout


def ledgers(net):
    config = net.path(f"{NODE}.yaml")
    good, why = start_fails(net, config, ["in use by another daemon"])
    check("a second daemon on one ledger ends with the reason", good, why)
    check("and the first goes on", net.run("status", node=NODE, key=net.operator(NODE)).code == 0)
    net.stop(NODE)
    seq = audit(net).json["entries"]

    def with_ledger(name, change):
        shutil.copytree(net.path(NODE), net.path(name))
        change(net.path(name))
        return net.write(f"{name}.yaml", net.read(f"{NODE}.yaml").replace(f"ledger: {net.path(NODE)}", f"ledger: {net.path(name)}"))

    def cut(folder):
        os.truncate(os.path.join(folder, "data.mdb"), os.path.getsize(os.path.join(folder, "data.mdb")) // 2)

    def overwrite(old, new):
        def change(folder):
            with open(os.path.join(folder, "data.mdb"), "r+b") as f:
                data, at = f.read(), -1
                while (at := data.find(old, at + 1)) >= 0:
                    f.seek(at)
                    f.write(new)
        return change

    def nonsense(folder):
        with open(os.path.join(folder, "data.mdb"), "r+b") as f:
            f.write(b"\x55" * 8192)

    for name, change, words in (
            ("cut-off", cut, ["cut off"]),
            ("format", overwrite(b"sanquan-ledger 2", b"sanquan-ledger 1"), ["another format"]),
            ("nonsense", nonsense, ["not a ledger"]),
            ("absent", shutil.rmtree, ["no ledger", "sanquan init"])):
        good, why = start_fails(net, with_ledger(name, change), words)
        check(f"a ledger that is {name} is refused at start, with the reason", good, why)
        check(f"and no empty one is put in the place of the one that is {name}", os.path.exists(net.path(name)) == (name != "absent"))
        if name != "absent":
            check(f"an audit of the one that is {name} does not pass", audit(net, net.path(name)).code not in (0, 1))
    with Network((NODE,)) as stranger:
        theirs = net.write("theirs.yaml", net.read(f"{NODE}.yaml").replace(f"ledger: {net.path(NODE)}", f"ledger: {stranger.path(NODE)}"))
        good, why = start_fails(net, theirs, ["another network"])
        check("a ledger of another network is refused at start, with the reason", good, why)
    net.start(NODE)
    check("the node's own ledger is as it was", net.status(NODE)["seq"] >= seq and audit(net).code == 0)


# ---- a disk that is short of room, and one that is full ----

def disk(net, voucher):
    library, state = net.path("full_disk.so"), net.write("disk", "ok")
    made = subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library, os.path.join(TOP, "tests/preload/full_disk.c"), "-ldl"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check("the disk that can be full is made", made.returncode == 0, made.stdout)
    preload = {"LD_PRELOAD": library, "FULL_DISK": state, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def start():
        kept = {k: os.environ.get(k) for k in preload}
        os.environ.update(preload)
        net.start(NODE)
        for k, v in kept.items():
            os.environ.pop(k) if v is None else os.environ.update({k: v})

    net.stop(NODE)
    start()
    before, held = net.status(NODE), spent(net, voucher)
    net.write("disk", "low")
    check("a node that is short of disk says so", patiently(lambda: not net.status(NODE)["takes_new_work"]))
    refused = submit(net, "short.csv", rows(voucher))
    check("it refuses new work early, by name", refused.code == 1 and refused.json["error"]["status"] == "SQ_R_DISK_LOW", refused)
    check("nothing has changed", net.status(NODE)["seq"] == before["seq"] and spent(net, voucher) == held)
    check("reading and audit go on", audit(net).code == 0 and net.run("programme", "list", node=NODE, key=net.operator(NODE)).code == 0)
    net.write("disk", "ok")
    check("with room again it takes new work", patiently(lambda: net.status(NODE)["takes_new_work"]))
    again = net.run("submit", net.path("short.csv"), "--receipts", "--json", node=NODE, key=net.key(f"provider:{PROVIDER}"))
    check("the same command then goes through", again.code == 0 and again.json["accepted"] == 1, again)
    held = spent(net, voucher)

    net.write("disk", "full")
    path = net.write("full.csv", rows(voucher, 5))
    late = net.run("submit", path, "--json", "--timeout", "3", node=NODE, key=net.key(f"provider:{PROVIDER}"))
    check("on a disk that is full nobody is told that his work was done, or refused", late.code == 3, late)
    check("the node stops, and says why", patiently(lambda: net.processes[NODE].poll() is not None) and net.processes[NODE].returncode == 1 and
          "No space left" in net.read(f"{NODE}.log"), net.read(f"{NODE}.log")[-800:])
    net.stop(NODE)
    whole = audit(net)
    check("its ledger is whole", whole.code == 0 and spent(net, voucher) in (held, held + 1500), whole)
    receipts = net.run("audit", "--ledger", net.path(NODE), "--directory", net.directory, path.replace("full.csv", "short.csv.receipts"))
    check("and holds what was receipted", receipts.code == 0, receipts)
    net.write("disk", "ok")
    start()
    again = net.run("submit", path, "--json", node=NODE, key=net.key(f"provider:{PROVIDER}"))
    check("with room, the same command ends what was begun, once", again.code == 0 and again.json["accepted"] == 5 and spent(net, voucher) == held + 1500, again)


with Network((NODE,)) as net:
    net.start_all()
    net.voucher = market(net)
    net.small = net.grant(NODE, 1, HOLDER, 10, NODE)
    net.expired = net.grant(NODE, 1, HOLDER, 100, NODE)
    net.mandate(HOLDER, PROVIDER, net.small, 900, NODE)
    net.must("mandate", net.write("old.csv", f"voucher,provider,limit_yuan,until\n{net.expired},{PROVIDER},90,2026-01-01\n"), node=NODE, key=net.key(f"holder:{HOLDER}"))
    strangers(net)
    rules(net, net.voucher)
    ledgers(net)
    disk(net, net.voucher)
done()
