"""Nodes cosign each other's checkpoints; one that comes up with another history than its witnesses hold does not serve."""
import os
import shutil
import signal
import subprocess
import time

from network import PATIENCE_S, SANQUAND, Network, check, done, uscc


def until(what, patience=PATIENCE_S):
    """What it gives, when it gives something; None when it never does."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        good = what()
        if good:
            return good
        time.sleep(0.1)
    return None


def witnessed(net, node, least, by):
    w = net.status(node)["witness"]
    return w["witnessed_size"] >= least and w["cosigned_by"] >= by and w


def ends(net, node):
    """Its exit code, or None while it lives."""
    until(lambda: net.processes[node].poll() is not None, 20)
    return net.processes[node].poll()


def copy(net, node, to):
    shutil.copytree(net.path(node), net.path(to))


def put_back(net, node, copied):
    shutil.rmtree(net.path(node))
    os.rename(net.path(copied), net.path(node))


def launch(net, node):
    """Without waiting until it serves."""
    with open(net.path(f"{node}.log"), "a", encoding="utf-8") as log:
        net.processes[node] = subprocess.Popen([SANQUAND, "--config", net.path(f"{node}.yaml")], stderr=log)


with Network(("310000", "370000", "440000"), directory=("--witness-ms", "200")) as net:
    net.start_all()
    net.enrol("provider", uscc(31, 1), "310000")
    first = net.status("310000")["seq"]
    good = until(lambda: witnessed(net, "310000", first, 2))
    check("a node's checkpoint is cosigned by all others", good and good["quorum"] == 2 and good["forks"] == 0, net.status("310000"))
    check("and so are the others'", all(until(lambda n=n: witnessed(net, n, 1, 2)) for n in ("370000", "440000")))

    # -- proofs: by anybody, offline, under a policy of one's own --
    got = net.run("proof", "get", 2, node="310000", key=net.operator("310000"))
    file = net.write("2.tlog-proof", got.out)
    policy = net.write("mof.policy", net.must("proof", "policy", "--directory", net.directory).out)
    said = net.run("proof", "verify", file, "--policy", policy, "--json")
    check("an entry's proof with the cosignatures of two verifies under a policy that asks for them", got.code == 0 and said.code == 0 and
          said.json["seq"] == 2 and said.json["log"] == "test/310000" and len(said.json["cosigned_by"]) == 2, (str(got), str(said)))
    all_three = net.write("all.policy", net.must("proof", "policy", "--directory", net.directory, "--quorum", 3).out)
    check("and does not where the policy asks for more", net.run("proof", "verify", file, "--policy", all_three).code == 4)
    lines = got.out.splitlines(keepends=True)
    less = net.write("less.tlog-proof", "".join(lines[:-1]))
    check("or where a cosignature is taken off", net.run("proof", "verify", less, "--policy", policy).code == 4)
    wrong = [i for i, l in enumerate(lines) if l.startswith("extra")][0]
    changed = net.write("changed.tlog-proof", "".join(l if i != wrong else l[:40] + ("A" if l[40] != "A" else "B") + l[41:] for i, l in enumerate(lines)))
    check("or where the record is another", net.run("proof", "verify", changed, "--policy", policy).code == 4)
    check("the first entry beyond the ledger has none", net.run("proof", "get", 999999, node="310000", key=net.operator("310000")).code == 1)
    shown = net.run("witnesses", node="310000", key=net.key("regulator:mof"))
    check("for people: who has cosigned what", shown.code == 0 and "370000" in shown.out and "witnessed up to" in shown.out and "continued" in shown.out, shown)

    net.stop("440000")
    net.enrol("provider", uscc(31, 2), "310000")
    second = net.status("310000")["seq"]
    time.sleep(1)
    check("with one of two witnesses away nothing more is witnessed, and work goes on", net.status("310000")["witness"]["witnessed_size"] < second)
    net.start("440000")
    check("when it is back what it has missed is cosigned", until(lambda: witnessed(net, "310000", second, 2)), net.status("310000"))

    quiet = until(lambda: (lambda a: time.sleep(1) or (a == net.status("310000")["seq"] and a))(net.status("310000")["seq"]))
    check("without work the network falls silent", quiet)

    # -- an old copy, its witnesses being there --
    net.stop("310000")
    copy(net, "310000", "old")
    net.start("310000")
    net.enrol("provider", uscc(31, 3), "310000")
    third = net.status("310000")["seq"]
    check("(the newer state is witnessed)", until(lambda: witnessed(net, "310000", third, 2)))
    net.stop("310000")
    copy(net, "310000", "newest")
    copy(net, "old", "older")
    put_back(net, "310000", "old")
    launch(net, "310000")
    code = ends(net, "310000")
    check("a node does not serve from an old copy of its ledger", code == 2 and "restore a newer one" in net.read("310000.log"), net.read("310000.log"))
    net.processes.pop("310000")

    # -- the same while nobody is there to ask: it goes on, until a witness is back --
    for other in ("370000", "440000"):
        net.stop(other)
    put_back(net, "310000", "older")
    net.start("310000")
    for i in range(4, 24):  # more entries than the history that the witnesses have seen
        net.enrol("provider", uscc(31, i), "310000")
    check("alone it serves", net.status("310000")["seq"] > third)
    net.start("370000")
    code = ends(net, "310000")
    log = net.read("310000.log")
    check("a node that went on from an old copy stops when a witness shows what it has signed before",
          code == 2 and ("another history" in log.splitlines()[-1] or "old copy" in log.splitlines()[-1]), log[-2000:])
    net.processes.pop("310000")
    check("and nothing of that history has left it", net.status("370000")["witness"]["forks"] == 0, net.status("370000"))
    shutil.rmtree(net.path("310000"))
    os.rename(net.path("newest"), net.path("310000"))
    net.start("310000")
    net.start("440000")
    net.enrol("provider", uscc(31, 30), "310000")
    last = net.status("310000")["seq"]
    check("with the right ledger it is witnessed again", until(lambda: witnessed(net, "310000", last, 2)), net.status("310000"))
    # -- a backup: it is known to be one, and hears its witnesses before anything --
    net.stop("310000")
    backup = net.path("backup")
    net.must("backup", "--ledger", net.path("310000"), "--to", backup)
    shutil.rmtree(net.path("310000"))
    shutil.copytree(backup, net.path("310000"))
    for other in ("370000", "440000"):
        net.stop(other)
    net.start("310000")
    before = net.status("310000")["seq"]
    time.sleep(4)  # longer than peers that are down are waited for otherwise
    key = net.keygen(f"provider:{uscc(31, 31)}")
    late = net.run("provider", "enrol", key, "--timeout", "2", node="310000", key=net.operator("310000"))
    check("started from a backup a node takes no work before its witnesses have been heard", late.code != 0 and net.status("310000")["waits_for_witnesses"] and net.status("310000")["seq"] == before, (str(late), net.status("310000")))
    check("and says so", "waits_for_witnesses" in net.read("310000.log") and "TAKES NO WORK" in net.run("status", node="310000", key=net.operator("310000")).out)
    net.start("370000")
    check("one of two is not more than half", until(lambda: net.status("370000")["peers"][0]["heard_ms"] > 0) and net.status("310000")["waits_for_witnesses"])
    net.start("440000")
    check("when more than half have been heard it works", until(lambda: net.run("provider", "enrol", key, "--timeout", "2", node="310000", key=net.operator("310000")).code == 0) and
          not net.status("310000")["waits_for_witnesses"], net.status("310000"))
    net.stop("310000")
    shutil.rmtree(net.path("310000"))
    shutil.copytree(backup, net.path("310000"))
    launch(net, "310000")
    code = ends(net, "310000")
    check("and the same backup, which is an old copy by now, does not serve", code == 2, net.read("310000.log")[-1500:])
    net.processes.pop("310000")
    for n in ("370000", "440000"):
        net.stop(n, signal.SIGTERM)
        audited = net.run("audit", "--ledger", net.path(n), "--directory", net.directory, "--json")
        check(f"the ledger of {n} verifies, cosignatures and all", audited.code == 0 and audited.json["witnessed"] > 0 and "fork" not in audited.json, audited)
    net.write("310000.yaml", net.read("310000.yaml") + "start_alone: true\n")
    net.start("310000")
    check("where its operators say so, it serves alone", until(lambda: net.run("provider", "enrol", net.keygen(f"provider:{uscc(31, 40)}"), "--timeout", "5", node="310000", key=net.operator("310000")).code == 0), net.read("310000.log")[-1500:])
done()
