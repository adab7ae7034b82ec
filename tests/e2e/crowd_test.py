"""Peers that are known and behave badly: they ask and never read, connect by the hundred, go away in the middle. Others are served."""
import os
import random
import socket
import sys
import threading

from disk import HOLDER, NODE, PROVIDER, market, rows
from network import Network, check, done

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))
import talk  # noqa: E402

ASKED = 20000          # questions whose answers nobody reads: many times what queues hold
CONNECTIONS = 300
RSS_MOST_KIB = 96 << 10  # what that may cost: the queues of one connection, and a little


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def submit(net, voucher, first, count):
    path = net.write(f"batch-{first}.csv", rows(voucher, first, count, elsewhere=0))
    return net.run("submit", path, "--json", node=NODE, key=net.key(f"provider:{PROVIDER}"))


def client(net, who):
    return talk.sq.Client(f"tcp://127.0.0.1:{net.ports[NODE]}", talk.sq.Directory.read(net.directory), NODE, talk.sq.Keys.read(net.key(who)))


def never_reads(net, voucher):
    pid = net.processes[NODE].pid
    before = resident_kib(pid)
    with client(net, f"holder:{HOLDER}") as silent:
        silent.hello()
        frame = silent.make(talk.pb.Query(path="/status", nonce=99).SerializeToString(), talk.pb.QUERY, 0)
        sent = 0
        while sent < ASKED and silent.socket.poll(200, talk.sq.zmq.POLLOUT):
            silent.socket.send(frame)
            sent += 1
        served = submit(net, voucher, 1, 5)
        check("while one asks and never reads, another is served", served.code == 0 and served.json["accepted"] == 5, served)
        grown = resident_kib(pid) - before
        check("it costs a bounded amount of memory", sent > 1000 and grown < RSS_MOST_KIB, (sent, grown))
        print(f"# note: {sent} questions unread, {grown} KiB")
    check("when it has gone, nothing is left of it", net.status(NODE)["totals"]["items_accepted"] == 5)


def storm(net, voucher):
    """Each connects with its keys, asks, and is gone before the answer; some in the middle of the handshake."""
    dice, over = random.Random(1), threading.Event()

    def come_and_go():
        while not over.is_set():
            one = client(net, f"holder:{HOLDER}")
            one.put(one.make(talk.pb.Hello(nonce=1).SerializeToString(), talk.pb.HELLO, 0), dice.random() / 5)
            one.close()
            with socket.create_connection(("127.0.0.1", net.ports[NODE])) as s:
                s.sendall((b"\xff" + b"\0" * 7 + b"\x01\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + b"\0" * 32)[:dice.randrange(1, 64)])

    before = net.status(NODE)["connections"]
    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for t in threads:
        t.start()
    served = []
    while net.status(NODE)["connections"]["accepted"] - before["accepted"] < CONNECTIONS:
        served.append(submit(net, voucher, 100 + 5 * len(served), 5))
    over.set()
    for t in threads:
        t.join()
    check("through a storm of connections others are served", served and all(r.code == 0 and r.json["accepted"] == 5 for r in served), served)
    now = net.status(NODE)
    check("and no item is lost or done twice", now["totals"]["items_accepted"] == 5 + 5 * len(served), now["totals"])
    print(f"# note: {now['connections']['accepted'] - before['accepted']} connections")


with Network((NODE,)) as net:
    net.start(NODE)
    voucher = market(net)
    never_reads(net, voucher)
    storm(net, voucher)
    net.stop(NODE)
    r = net.run("audit", "--ledger", net.path(NODE), "--directory", net.directory)
    check("the ledger verifies", r.code == 0, r)
done()
