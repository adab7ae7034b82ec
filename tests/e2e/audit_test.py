"""sanquan audit on a real node's ledger: what is whole verifies, what is damaged is named."""
import json
import os
import shutil

from network import Network, check, done, uscc

NODE = "310000"

with Network((NODE,)) as net:
    net.start_all()
    net.enrol("provider", uscc(31, 1), NODE)
    net.programme(NODE, 1, NODE)
    ask = ("audit", "--ledger", net.path(NODE), "--directory", net.directory)

    beside = net.run(*ask)
    check("the ledger of a running node verifies", beside.code == 0 and "verifies" in beside.out, beside)

    provider, holder = uscc(31, 1), uscc(31, 2)
    net.enrol("holder", holder, NODE)
    voucher = net.grant(NODE, 1, holder, 1000, NODE)
    net.mandate(holder, provider, voucher, 1000, NODE)
    header = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day\n"

    def submit(name, invoice):
        path = net.write(name, header + f"{voucher},3,10,{invoice},10,rent,2026-01-05\n")
        net.must("submit", path, "--receipts", node=NODE, key=net.key(f"provider:{provider}"))
        return path + ".receipts"

    first = submit("first.csv", "26312000000000000001")
    net.stop(NODE)
    shutil.copytree(net.path(NODE), net.path("yesterday"))
    net.start(NODE)
    second = submit("second.csv", "26312000000000000002")
    net.stop(NODE)
    held = net.run(*ask, first, second, "--json")
    check("receipts that a provider holds are found in the ledger", held.code == 0 and held.json["receipts"] == 2, held)
    old = ("audit", "--ledger", net.path("yesterday"), "--directory", net.directory)
    check("a ledger whose end was cut off verifies by itself", net.run(*old, first).code == 0, net.run(*old, first))
    cut = net.run(*old, first, second, "--json")
    check("a receipt shows that its end is missing", cut.code == 4 and "second.csv.receipts line 1" in cut.json["error"]["detail"], cut)
    receipt = json.loads(net.read("first.csv.receipts"))
    text = receipt["envelope"]
    receipt["envelope"] = text[:-1] + ("0" if text[-1] != "0" else "1")
    forged = net.write("forged.receipts", json.dumps(receipt) + "\n")
    check("a forged receipt is none", net.run(*ask, forged).code == 4, net.run(*ask, forged))
    check("a file of something else is a mistake of whoever gave it", net.run(*ask, net.write("else.txt", "hello\n")).code == 2, "")

    whole = net.run(*ask, "--json")
    check("a ledger that verifies ends with 0", whole.code == 0 and whole.json["verifies"] and whole.json["signatures"] >= 2, whole)

    with open(net.path(os.path.join(NODE, "data.mdb")), "r+b") as f:
        data, name, at = f.read(), b"provider:" + uscc(31, 1).encode(), -1
        while (at := data.find(name, at + 1)) >= 0:  # the page that counts, and older ones
            f.seek(at)
            f.write(b"Provider:")
    damaged = net.run(*ask, "--json")
    check("a changed byte of an entry ends with 4, and the entry is named",
          damaged.code == 4 and not damaged.json["verifies"] and damaged.json["entry"] >= 1, damaged)

    nowhere = net.run("audit", "--ledger", net.path("nothing"), "--directory", net.directory)
    check("a ledger that is not there is no ledger that fails", nowhere.code not in (0, 4), nowhere)
done()
