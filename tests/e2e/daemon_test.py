"""A node's life: what --check finds and where, readiness and end as systemd hears of them, a clean SIGTERM under load, a start from the snapshot."""
import os
import signal
import socket
import subprocess
import time

from network import PATIENCE_S, SANQUAND, Network, check, done, uscc

NODE = "310000"
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
PROVIDER, HOLDER = uscc(31, 1), uscc(31, 2)


def run(*arguments):
    return subprocess.run([SANQUAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)


def checks(net):
    path = net.path(f"{NODE}.yaml")
    good = net.read(f"{NODE}.yaml")
    r = run("--config", path, "--check")
    check("a good configuration passes --check, and nothing is listened to", r.returncode == 0 and "event=checked" in r.stderr and "event=ready" not in r.stderr, r.stderr)
    line = {key: next(i for i, text in enumerate(good.splitlines(), 1) if text.startswith(key)) for key in ("node", "bind", "keys", "directory")}
    cases = {
        "an unknown key": (good + "speed: 9\n", [f"wrong.yaml:{good.count(chr(10)) + 1}:", "speed"]),
        "a missing key": (good.replace(f"bind: tcp://127.0.0.1:{net.ports[NODE]}\n", ""), ["wrong.yaml:", "bind"]),
        "an endpoint of another kind": (good.replace("bind: tcp://", "bind: ipc://"), [f"wrong.yaml:{line['bind']}:", "tcp://"]),
        "a node that is no code": (good.replace(f'node: "{NODE}"', 'node: "31000x"'), [f"wrong.yaml:{line['node']}:", "six-digit"]),
        "a word where a number belongs": (good + "map_size_gib: much\n", [f"wrong.yaml:{good.count(chr(10)) + 1}:"]),
        "a cut-off that is no time of day": (good + 'cutoffs: ["25:00"]\n', [f"wrong.yaml:{good.count(chr(10)) + 1}:", "17:00"]),
        "what is no YAML": ("node: [\n", ["wrong.yaml:"]),
        "the keys of another": (good.replace(net.key(f"node:{NODE}"), net.operator(NODE)), ["operator:310000/maker"]),
        "a directory that is not there": (good.replace(net.directory, net.path("nowhere.yaml")), ["nowhere.yaml"]),
    }
    for name, (text, words) in cases.items():
        assert text != good, name
        r = run("--config", net.write("wrong.yaml", text), "--check")
        check(f"{name} is told with file, line and reason", r.returncode != 0 and all(w in r.stderr for w in words), r.stderr)
    check("wrong usage ends with 2", run().returncode == 2 and run("--speed").returncode == 2)


def notified(net):
    """What systemd would hear from a start to an end."""
    path = net.path("notify")
    heard = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(PATIENCE_S)

        def until(word):
            while not any(word in text for text in heard):
                heard.append(s.recv(4096).decode())
            return True

        with open(net.path("notify.log"), "w", encoding="utf-8") as log:
            node = subprocess.Popen([SANQUAND, "--config", net.path(f"{NODE}.yaml")], stderr=log,
                                    env={**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "10000000"})
        ready = until("READY=1")
        answers = net.run("status", node=NODE, key=net.operator(NODE))
        check("READY=1 comes when the node answers, and says where", ready and answers.code == 0 and any(f"STATUS=serving at tcp://127.0.0.1:{net.ports[NODE]}" in t for t in heard),
              (heard, answers))
        check("the watchdog hears from a node that has nothing to do", until("WATCHDOG=1"))
        node.send_signal(signal.SIGTERM)
        check("SIGTERM: STOPPING=1, then the end with 0", until("STOPPING=1") and node.wait(PATIENCE_S) == 0, heard)
        check("in that order", [t for t in (x.split("\n")[0] for x in heard) if t in ("READY=1", "STOPPING=1")] == ["READY=1", "STOPPING=1"], heard)
    check("its log is key=value to standard error", all(w in net.read("notify.log") for w in ("level=info event=ready node=310000", "event=ended seq=")),
          net.read("notify.log"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        os.unlink(path)
        s.bind(path)
        s.settimeout(PATIENCE_S)
        r = subprocess.run([SANQUAND, "--config", net.write("none.yaml", net.read(f"{NODE}.yaml").replace(f"ledger: {net.path(NODE)}", f"ledger: {net.path('none')}"))],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "NOTIFY_SOCKET": path}, timeout=PATIENCE_S)
        told = s.recv(4096).decode()
        check("a start that fails tells systemd why, and never that it was ready", r.returncode == 2 and "STATUS=" in told and "no ledger" in told and "READY" not in told,
              (told, r.stderr))


def load(net):
    """SIGTERM in the middle of a submission: what was answered is durable, and the rest is done after the next start."""
    net.start(NODE)
    net.enrol("provider", PROVIDER, NODE)
    net.enrol("holder", HOLDER, NODE)
    net.programme(NODE, 1, NODE)
    voucher = net.grant(NODE, 1, HOLDER, 1000000, NODE)
    net.mandate(HOLDER, PROVIDER, voucher, 1000000, NODE)
    count = 20000
    path = net.write("load.csv", "\n".join([HEADER, *(f"{voucher},3,10,26312{i:015d},10,rent,2026-01-05" for i in range(1, count + 1))]) + "\n")
    before = net.status(NODE)["seq"]
    submit = ("submit", path, "--batch-rows", 50, "--receipts")
    running = net.begin(*submit, "--timeout", "5", node=NODE, key=net.key(f"provider:{PROVIDER}"))
    until = time.monotonic() + PATIENCE_S
    while net.status(NODE)["seq"] < before + 20 and running.poll() is None and time.monotonic() < until:
        pass
    node = net.processes[NODE]
    net.stop(NODE)
    check("SIGTERM under load ends with 0", node.returncode == 0, node.returncode)
    running.communicate()
    seq = net.run("audit", "--ledger", net.path(NODE), "--directory", net.directory, "--json").json["entries"]
    net.start(NODE)
    log = net.read(f"{NODE}.log")
    check("the next start needs no entry of the journal again: the snapshot is of the last", f"entries=0 snapshot_seq={seq}" in log, log[-600:])
    rest = net.run(*submit, "--json", node=NODE, key=net.key(f"provider:{PROVIDER}"))
    totals = net.status(NODE)["totals"]
    check("the rest is done when the same command is given again", rest.code == 0 and totals["items_accepted"] == totals["items_received"] == count, (rest, totals))
    net.stop(NODE)
    os.unlink(os.path.join(net.path(NODE), "snapshot"))
    net.start(NODE)
    again = net.status(NODE)["totals"]
    check("without its snapshot the node comes to the same state from the journal", again == totals, (again, totals))
    net.stop(NODE)
    held = net.run("audit", "--ledger", net.path(NODE), "--directory", net.directory, path + ".receipts", "--json")
    check("every receipt is of the ledger", held.code == 0 and held.json["receipts"] == count // 50, held)


with Network((NODE,)) as net:
    checks(net)
    notified(net)
    load(net)
done()
