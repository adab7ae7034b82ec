"""A real node whose every write and sync is written down (tests/preload/disk.c), from its ledger's making on."""
import os
import shutil
import struct
import subprocess

from network import BUILD, SANQUAN, Network, uscc

NODE, PEER = "310000", "440000"
SHIM = os.path.join(BUILD, "tests/preload/disk.so")
PROVIDER, HOLDER = uscc(31, 1), uscc(31, 2)
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
ACK = 9  # TRACE_ACK of tests/disk/trace.h


class Preloaded:
    """Processes started inside have the library, and these variables."""

    def __init__(self, **variables):
        asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.variables = {"LD_PRELOAD": SHIM, "ASAN_OPTIONS": asan, **variables}

    def __enter__(self):
        self.kept = {k: os.environ.get(k) for k in self.variables}
        os.environ.update(self.variables)

    def __exit__(self, *_):
        for k, v in self.kept.items():
            os.environ.pop(k) if v is None else os.environ.update({k: v})


def market(net, told=lambda: None):
    """What a region needs before its first claim; the voucher. `told` after each command, which then has been answered."""
    net.enrol("provider", PROVIDER, NODE)
    told()
    net.enrol("holder", HOLDER, NODE)
    told()
    net.programme(NODE, 1, NODE, pool="1亿")
    told()
    voucher = net.grant(NODE, 1, HOLDER, 900000, NODE)
    told()
    net.mandate(HOLDER, PROVIDER, voucher, 900000, NODE)
    told()
    return voucher


def rows(voucher, first, count, elsewhere=3):
    """One invoice in `elsewhere` has its home in the other region, which is asked before the claim is decided; 0: none."""
    def invoice(n):
        return f"26{PEER[:2] if elsewhere and n % elsewhere == 0 else NODE[:2]}200000000{n:07d}"
    return "\n".join([HEADER, *(f"{voucher},30,100,{invoice(n)},100,rent,2026-01-05" for n in range(first, first + count))]) + "\n"


def submit(net, voucher, first, count, *more):
    path = net.write(f"batch-{first}.csv", rows(voucher, first, count))
    return net.run("submit", path, "--json", *more, node=NODE, key=net.key(f"provider:{PROVIDER}"))


class Recording:
    """net: two nodes that have worked together; trace: what one of them wrote; its ledger is as it stopped."""

    def __init__(self, net, batches=12, sizes=(1, 3, 40)):
        self.net, self.trace = net, net.path("trace")
        shutil.rmtree(net.path(NODE))
        with Preloaded(DISK_TRACE=self.trace):
            made = subprocess.run([SANQUAN, "init", "--config", net.path(f"{NODE}.yaml")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            assert made.returncode == 0, made.stdout
            net.start(NODE)
        net.start(PEER)
        self.told()
        self.voucher = market(net, self.told)
        first = 1
        for i in range(batches):
            if i == batches // 2:  # a clean stop writes a snapshot; a window in between speaks with the peer
                net.must("window", "cut", "--wait", "--timeout", 60, node=NODE, key=net.operator(NODE))
                self.told()
                self.restart()
            count = sizes[i % len(sizes)]
            r = submit(net, self.voucher, first, count)
            assert r.code == 0 and r.json["accepted"] == count, r
            self.told()
            first += count
        net.stop(NODE)
        net.stop(PEER)

    def restart(self):
        self.net.stop(NODE)
        with Preloaded(DISK_TRACE=self.trace):
            self.net.start(NODE)

    def told(self):
        """Whoever was just answered knows that the entries up to here are durable."""
        with open(self.trace, "ab") as f:
            f.write(struct.pack("=IIQQ", 0x44495343, ACK, self.net.status(NODE)["seq"], 0))
