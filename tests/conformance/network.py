"""Two nodes, 310000 and 370000, on free ports of the loopback, in a temporary folder; what is said to them; and test results in TAP.

Needs BUILD, the folder of the programs. Makes sanquan_pb2 of proto/sanquan.proto in it."""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ["BUILD"]
GENERATED = os.path.join(BUILD, "tests", "conformance")
os.makedirs(GENERATED, exist_ok=True)
subprocess.run(["protoc", f"-I{TOP}/proto", f"--python_out={GENERATED}", "sanquan.proto"], check=True)
sys.path[:0] = [GENERATED, HERE]

import client as sq  # noqa: E402
import sanquan_pb2 as pb  # noqa: E402

with open(os.path.join(TOP, "proto", "README.md"), encoding="utf-8") as specification:
    TEXT = specification.read()
# Section 15: number, name and "retry" of every refusal.
REFUSALS = re.findall(r"^\| (\d{3}) \| ([A-Z_]+) \|.*?\| (yes|no) \|", TEXT, re.M)
NAME = {int(number): name for number, name, _ in REFUSALS} | {0: "OK"}
RETRY = {name: retry == "yes" for _, name, retry in REFUSALS}


# ---- tests ----

tests = []


def test(function):
    """The function's docstring is the test's name; tests run in order and build on each other, as a conversation does."""
    tests.append(function)
    return function


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}\n  got      {got!r}\n  expected {expected!r}")


def name_of(status):
    return NAME.get(status, str(status))


def refused(call, name):
    """`call` is refused by `name`, and only so: the Refusal."""
    try:
        result = call()
    except sq.Refused as r:
        equal(name_of(r.refusal.status), name, r.refusal.detail)
        # "Retry" of section 15: may the same bytes be taken later?
        equal(r.refusal.retry_after_ms > 0, RETRY[name], f"retry_after_ms {r.refusal.retry_after_ms} of {name}")
        return r.refusal
    raise AssertionError(f"taken, and not refused as {name}: {result!r}")


def run(world):
    """Every test, with the world's network up. The exit code."""
    count, failed = 0, False
    with tempfile.TemporaryDirectory(prefix="sanquan-conformance-") as folder:
        network = world.network = Network(folder)
        try:
            for code in network.endpoint:
                network.start(code)
            for function in tests:
                count += 1
                try:
                    function()
                    print(f"ok {count} - {function.__doc__}", flush=True)
                except Exception:
                    failed = True
                    print(f"not ok {count} - {function.__doc__}", flush=True)
                    print("# " + traceback.format_exc().rstrip().replace("\n", "\n# "), flush=True)
        finally:
            for code in list(network.node):
                network.log(code, failed)
                if (status := network.stop(code)) != 0:
                    failed = True
                    print(f"# node {code} ended with {status}")
    print(f"1..{count}")
    return int(failed)


# ---- nodes ----

class Network:
    def __init__(self, folder):
        self.folder = folder
        self.node, self.endpoint = {}, {}
        self.passphrase = os.path.join(folder, "passphrase")
        with open(self.passphrase, "w", encoding="utf-8") as f:
            f.write("correct horse battery staple\n")
        names = ["regulator:mof"]
        for code, port in zip(("310000", "370000"), self.free_ports(2)):
            self.endpoint[code] = f"tcp://127.0.0.1:{port}"
            names += [f"node:{code}", f"issuer:{code}", f"operator:{code}/li", f"operator:{code}/zhang"]
        for name in names:
            sealed = ["--passphrase-file", self.passphrase] if name == "operator:310000/li" else []
            self.sanquan("keygen", name, "--out", self.key_file(name), *sealed)
        self.directory_file = os.path.join(folder, "directory.yaml")
        with open(self.directory_file, "w", encoding="utf-8") as f:
            f.write(self.sanquan("directory", "new", "--network", "conformance", *map(self.key_file, names)))
        self.directory = sq.Directory.read(self.directory_file)
        for code in self.endpoint:
            self.configure(code)
            self.sanquan("init", "--config", self.config(code))

    @staticmethod
    def free_ports(count):
        sockets = [socket.socket() for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        ports = [s.getsockname()[1] for s in sockets]
        for s in sockets:
            s.close()
        return ports

    @staticmethod
    def sanquan(*arguments):
        r = subprocess.run([os.path.join(BUILD, "sanquan"), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if r.returncode != 0:
            raise RuntimeError(f"sanquan {' '.join(arguments)}: {r.stderr}")
        return r.stdout

    def configure(self, code):
        with open(self.config(code), "w", encoding="utf-8") as f:
            f.write(f'node: "{code}"\ndirectory: {self.directory_file}\nkeys: {self.key_file("node:" + code)}\n'
                    f"ledger: {self.folder}/{code}\nbind: {self.endpoint[code]}\npeers:\n")
            for other in self.endpoint:
                if other != code:
                    f.write(f'  - {{code: "{other}", endpoint: "{self.endpoint[other]}"}}\n')

    def key_file(self, name):
        return os.path.join(self.folder, re.sub("[:/]", "-", name) + ".key")

    def config(self, code):
        return os.path.join(self.folder, code + ".yaml")

    def start(self, code):
        with open(os.path.join(self.folder, code + ".log"), "ab") as log:
            self.node[code] = subprocess.Popen([os.path.join(BUILD, "sanquand"), "--config", self.config(code)], stderr=log)

    def stop(self, code, signal_number=signal.SIGTERM):
        """How it ended."""
        process = self.node.pop(code)
        process.send_signal(signal_number)
        return process.wait()

    def log(self, code, wanted):
        """What a node said, when a test failed."""
        if wanted:
            with open(os.path.join(self.folder, code + ".log"), encoding="utf-8", errors="replace") as f:
                print("".join(f"# {code}: {line}" for line in f.readlines()[-10:]), end="")

    def client(self, who, node="310000"):
        """A connection of Keys, or of a participant of the directory."""
        return sq.Client(self.endpoint[node], self.directory, node, sq.Keys.read(self.key_file(who)) if isinstance(who, str) else who)


# ---- what is said ----

USCC_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def uscc(first17):
    """The code whose first 17 characters these are (section 3)."""
    s = sum(w * USCC_CHARACTERS.index(c) for w, c in zip(USCC_WEIGHTS, first17, strict=True))
    return first17 + USCC_CHARACTERS[(31 - s % 31) % 31]


HOME, AWAY = 310000, 370000
HOLDER, OTHER_HOLDER = uscc("12310199TH0000001"), uscc("12310199TH0000002")
PROVIDER, FAR_PROVIDER = uscc("91310199TP0000001"), uscc("91370199TP0000002")
NOBODY = uscc("91310199TP0000009")
PAST_DAY, FUTURE_DAY = 20250601, 20990601


def programme(issuer, number):
    """30 per cent of purchases of services 7 and 8 from 100 yuan on, at most 1,000 yuan a claim."""
    return pb.Programme(issuer=issuer, number=number, version=1, kind=1, title="conformance 算力券", from_day=20250101,
                        until_day=20991231, rate_bp=3000, base_kind=1, pool_fen=100_000_000, cap_claim_fen=100_000,
                        min_claim_fen=10_000, services=[7, 8])


def grant(issuer, number, first_serial, holders, vouchers):
    """Vouchers are (face, index of the holder)."""
    return pb.Grant(issuer=issuer, programme=number, first_serial=first_serial, holders=holders,
                    face_fen=[face for face, _ in vouchers], holder=[holder for _, holder in vouchers],
                    until_day=[20991231] * len(vouchers))


def voucher(serial, issuer=HOME):
    return sq.voucher_number(issuer, 1, serial)


def invoice(n, province="31"):
    return f"26{province}{n:016d}"


def row(number, amount, base, digits, **other):
    return {"voucher": number, "amount_fen": amount, "base_fen": base, "invoice": sq.invoice_cell(digits),
            "invoice_total_fen": base + base * 13 // 100, "service": 7, "service_day": PAST_DAY,
            "evidence": sq.evidence_cell(digits.encode()), "verb": pb.REDEEM, "reservation": 0, **other}


def batch(rows, **other):
    """Rows stand in the order of their invoices. Columns that say nothing are left out."""
    column = {name: [r[name] for r in rows] for name in rows[0]}
    if all(verb == pb.REDEEM for verb in column["verb"]):
        del column["verb"], column["reservation"]
    else:
        column["verb"] = bytes(column["verb"])
    return pb.Batch(**{**column, "invoice": b"".join(column["invoice"]), "evidence": b"".join(column["evidence"])}, **other)


def codes(receipt):
    """Names of the codes of a batch's rows; empty when all were accepted."""
    return [name_of(c) for c in receipt.answer.code]


def accepted(receipt, count=None):
    """The receipt, when all of it was accepted."""
    equal((name_of(receipt.answer.status), codes(receipt)), ("OK", []), receipt.answer.detail)
    if count is not None:
        equal(receipt.answer.count, count)
    return receipt


class Market:
    """Clients of those who deal with each other, enrolled, with vouchers and mandates."""

    def __init__(self, network):
        self.issuer = network.client("issuer:310000")
        keys = {name: sq.Keys.new(name) for name in (f"holder:{HOLDER}", f"holder:{OTHER_HOLDER}", f"provider:{PROVIDER}")}
        far = sq.Keys.new(f"provider:{FAR_PROVIDER}")
        with network.client("operator:310000/zhang") as operator:
            accepted(operator.send(pb.Enrol(parties=[keys[name].party("310000") for name in sorted(keys)])), 3)
        with network.client("operator:370000/zhang", "370000") as operator:
            accepted(operator.send(pb.Enrol(parties=[far.party("370000")])), 1)
        self.holder, self.other_holder, self.provider = (network.client(k) for k in keys.values())
        self.far_provider = network.client(far, "370000")

    def publish(self, vouchers):
        """Programme 1, and vouchers (face, index of the holder) from serial 1 on."""
        accepted(self.issuer.send(programme(HOME, 1)))
        accepted(self.issuer.send(grant(HOME, 1, 1, [HOLDER, OTHER_HOLDER], vouchers)), len(vouchers))

    @staticmethod
    def mandate(holder, provider, serials, limit_fen, until_ms=2**60):
        accepted(holder.send(pb.Mandate(provider=provider, voucher=[voucher(s) for s in serials],
                                        limit_fen=[limit_fen] * len(serials), until_ms=[until_ms] * len(serials))))
