"""Who asked a node what is kept in a log, and the journal holds hashes that a changed log does not meet."""
import json
import os
import shutil
import subprocess
import time

from network import PATIENCE_S, SANQUAND, Network, check, done, uscc


def until(what):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        good = what()
        if good:
            return good
        time.sleep(0.2)
    return None


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def audit(net, *logs):
    return net.run("audit", "--ledger", net.path("310000"), "--directory", net.directory, "--json", *[f"--access-log={p}" for p in logs])


with Network(("310000",), directory=("--witness-ms", "0")) as net:
    own, other = net.path("access.log"), net.path("console.log")
    net.write("310000.yaml", net.read("310000.yaml") + f'access_log: {own}\nanchored_logs: ["{other}"]\nanchor_seconds: 1\n')
    net.start("310000")
    key = net.enrol("provider", uscc(31, 1), "310000")
    net.must("status", node="310000", key=key)
    refused = net.run("window", node="310000", key=key)
    kept = [(e["participant"], e["path"], e["status"]) for e in lines(own)]
    check("a question is a line: who, what, and how it was answered", (f"provider:{uscc(31, 1)}", "status", 0) in kept, kept)
    check("and so is one that was refused", refused.code == 1 and any(w == f"provider:{uscc(31, 1)}" and p == "windows" and s != 0 for w, p, s in kept), kept)
    with open(other, "w", encoding="utf-8") as f:
        f.write('{"name":"first"}\n' * 3)

    good = until(lambda: (lambda a: a.code == 0 and a.json["anchors"] >= 2 and a)(audit(net, own, other)))
    check("the journal anchors both logs, and they meet it", good, str(audit(net, own, other)))
    with open(other, "a", encoding="utf-8") as f:
        f.write('{"name":"second"}\n')
    more = until(lambda: (lambda a: a.code == 0 and a.json["anchors"] > good.json["anchors"] and a)(audit(net, own, other)))
    check("what is added is anchored too", more, str(audit(net, own, other)))
    net.stop("310000")

    changed = net.path("changed")
    os.mkdir(changed)
    text = net.read("access.log")
    at = text.index('"status"')
    for what, bad in (("another word", text[:at] + '"stolen"' + text[at + 8:]), ("a line less", text[text.index("\n") + 1:]), ("its end cut off", text[:40])):
        with open(os.path.join(changed, "access.log"), "w", encoding="utf-8") as f:
            f.write(bad)
        said = audit(net, os.path.join(changed, "access.log"))
        check(f"a log with {what} fails the audit, which names the entry", said.code == 4 and "entry" in said.json["error"]["detail"], str(said))
    check("a log that was never anchored is no log of this journal", audit(net, net.directory).code != 0)

    # -- begun anew, behind the node's back --
    old = net.path("old")
    os.mkdir(old)
    shutil.move(other, os.path.join(old, "console.log"))
    with open(other, "w", encoding="utf-8") as f:
        f.write('{"name":"forged"}\n' * 9)
    net.start("310000")
    check("a log that is not what it was is said to be so", until(lambda: "access_log_changed" in net.read("310000.log")), net.read("310000.log"))
    one = until(lambda: (lambda a: a.code == 4 and "begun anew" in a.json["error"]["detail"] and a)(audit(net, other)))
    check("and without the file of before it does not pass", one, str(audit(net, other)))
    both = audit(net, other, os.path.join(old, "console.log"))
    check("with it both generations do", both.code == 0, str(both))
    check("the state after a restart anchors on where it was", until(lambda: audit(net, own).code == 0), str(audit(net, own)))

    # -- a log that cannot be written --
    net.stop("310000")
    net.write("310000.yaml", net.read("310000.yaml").replace(f"access_log: {own}", "access_log: /dev/full"))
    net.write("full.yaml", net.read("310000.yaml"))
    process = subprocess.Popen([SANQUAND, "--config", net.path("full.yaml")], stderr=subprocess.DEVNULL)
    asked = until(lambda: (lambda r: "disk" in (r.out + r.err).lower() and r)(net.run("status", "--timeout", "2", node="310000", key=net.operator("310000"))))
    check("what cannot be kept is not answered", asked and asked.code != 0, asked)
    process.terminate()
    process.wait()
done()
