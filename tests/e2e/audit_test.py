"""sanquan audit on a real node's ledger: what is whole verifies, what is damaged is named."""
import os

from network import Network, check, done, uscc

NODE = "310000"

with Network((NODE,)) as net:
    net.start_all()
    net.enrol("provider", uscc(31, 1), NODE)
    net.programme(NODE, 1, NODE)
    ask = ("audit", "--ledger", net.path(NODE), "--directory", net.directory)

    beside = net.run(*ask)
    check("the ledger of a running node verifies", beside.code == 0 and "verifies" in beside.out, beside)
    net.stop(NODE)
    whole = net.run(*ask, "--json")
    check("a ledger that verifies ends with 0", whole.code == 0 and whole.json["verifies"] and whole.json["signatures"] >= 2, whole)

    with open(net.path(os.path.join(NODE, "data.mdb")), "r+b") as f:
        data = f.read()
        at = data.find(b"provider:" + uscc(31, 1).encode())
        assert at > 0
        f.seek(at)
        f.write(b"Provider:")
    damaged = net.run(*ask, "--json")
    check("a changed byte of an entry ends with 4, and the entry is named",
          damaged.code == 4 and not damaged.json["verifies"] and damaged.json["entry"] >= 1, damaged)

    nowhere = net.run("audit", "--ledger", net.path("nothing"), "--directory", net.directory)
    check("a ledger that is not there is no ledger that fails", nowhere.code not in (0, 4), nowhere)
done()
