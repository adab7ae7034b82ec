"""sanquan backup: a copy made while nodes work can be audited, read, brought up to date, and started from."""
import os
import resource
import shutil
import subprocess
import threading

from network import SANQUAN, Network, check, done, uscc

NODES = ("310000", "440000")
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
PROVIDER, HOLDER = uscc(31, 1), uscc(44, 2)


def submit(net, name, voucher, first, rows):
    lines = [f"{voucher},1,10,26312{k:015d},10,rent,2026-01-05" for k in range(first, first + rows)]
    return net.run("submit", net.write(name, "\n".join([HEADER, *lines]) + "\n"), "--json", node="310000", key=net.key(f"provider:{PROVIDER}"))


def sums(net, path):
    return net.must("history", "--ledger", path, "--sums", "--json").json["totals"]


with Network(NODES) as net:
    net.start_all()
    net.enrol("provider", PROVIDER, "310000")
    net.enrol("holder", HOLDER, "440000")
    net.programme("440000", 1, "440000")
    voucher = net.grant("440000", 1, HOLDER, 100000, "440000")
    net.mandate(HOLDER, PROVIDER, voucher, 90000, "440000")
    copy = net.path("backup")
    backup = ("backup", "--ledger", net.path("310000"), "--to", copy)

    over, submitted = threading.Event(), []

    def load():
        while not over.is_set():
            submitted.append(submit(net, f"load{len(submitted)}.csv", voucher, 1 + 20 * len(submitted), 20).code)

    loader = threading.Thread(target=load)
    loader.start()
    while len(submitted) < 2:
        pass
    first = net.run(*backup, "--json")
    audited = net.run("audit", "--ledger", copy, "--directory", net.directory, "--json")
    check("a copy made while the node works passes the audit", first.code == 0 and audited.code == 0 and audited.json["verifies"] and
          audited.json["entries"] == first.json["entries"] and audited.json["root"] == first.json["root"], (first, audited))
    again = net.run(*backup, "--json")
    over.set()
    loader.join()
    check("and is brought up to date by the same command", again.code == 0 and again.json["entries"] >= first.json["entries"] and
          net.run("audit", "--ledger", copy, "--directory", net.directory).code == 0, again)
    check("meanwhile the node lost nothing", set(submitted) == {0}, submitted)
    text = net.run(*backup)
    check("for people it says what it holds", text.code == 0 and "of node 310000" in text.out and "verifies" in text.out, text)

    # A run that breaks off because its disk is full: the file may not grow beyond this.
    entries = net.run("audit", "--ledger", copy, "--directory", net.directory, "--json").json["entries"]
    for k in range(8):
        assert submit(net, f"more{k}.csv", voucher, 100000 + 500 * k, 500).code == 0
    limit = os.path.getsize(os.path.join(copy, "data.mdb")) + 65536
    broken = subprocess.run([SANQUAN, *backup], capture_output=True, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    refused = net.run("audit", "--ledger", copy, "--directory", net.directory)
    check("a copy whose refreshing broke off says so, and what to do", broken.returncode != 0 and refused.code != 0 and "--undo" in refused.out + refused.err, (broken, refused))
    undone = net.run("backup", "--undo", "--to", copy, "--json")
    audited = net.run("audit", "--ledger", copy, "--directory", net.directory, "--json")
    check("it can go back to what it was", undone.code == 0 and undone.json["entries"] == entries and audited.code == 0 and audited.json["entries"] == entries, (undone, audited))
    check("which it can once", net.run("backup", "--undo", "--to", copy).code != 0)
    check("and go on", net.run(*backup).code == 0 and net.run("audit", "--ledger", copy, "--directory", net.directory).code == 0)

    check("the copy of another ledger is refused", net.run("backup", "--ledger", net.path("440000"), "--to", copy).code != 0)
    check("and a ledger is not copied onto itself", net.run("backup", "--ledger", net.path("310000"), "--to", net.path("310000")).code == 2)
    check("without --to it is a mistake", net.run("backup", "--ledger", net.path("310000")).code == 2)

    net.stop("310000")
    net.must(*backup)
    check("the copy tells of the same items", sums(net, copy) == sums(net, net.path("310000")))
    shutil.rmtree(net.path("310000"))
    os.rename(copy, net.path("310000"))
    net.start("310000")
    before = sums(net, net.path("310000"))
    after = submit(net, "after.csv", voucher, 900000, 5)
    check("a node started from it goes on clearing with its peers", after.code == 0 and sums(net, net.path("310000"))["accepted"] == before["accepted"] + 5, after)
    repeated = net.run("audit", "--ledger", net.path("310000"), "--directory", net.directory)
    check("and its ledger verifies", repeated.code == 0, repeated)
done()
