"""What the tests share: two nodes, 310000 and 370000, clients of them, what is said to them, and tests in order.

Needs BUILD, the folder of the programs. Makes sanquan_pb2 of proto/sanquan.proto in it."""
import os
import re
import subprocess
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
GENERATED = os.path.join(os.environ["BUILD"], "tests", "conformance")
os.makedirs(GENERATED, exist_ok=True)
subprocess.run(["protoc", f"-I{TOP}/proto", f"--python_out={GENERATED}", "sanquan.proto"], check=True)
sys.path[:0] = [GENERATED, os.path.join(TOP, "tests", "e2e")]

import client as sq  # noqa: E402
import sanquan_pb2 as pb  # noqa: E402
from network import Network, check, done  # noqa: E402

with open(os.path.join(TOP, "proto", "README.md"), encoding="utf-8") as specification:
    TEXT = specification.read()
# Section 15: number, name and "retry" of every refusal.
REFUSALS = re.findall(r"^\| (\d{3}) \| ([A-Z_]+) \|.*?\| (yes|no) \|", TEXT, re.M)
NAME = {int(number): name for number, name, _ in REFUSALS} | {0: "OK"}
RETRY = {name: retry == "yes" for _, name, retry in REFUSALS}


# ---- tests ----

_tests = []


def test(function):
    """The function's docstring is the test's name; tests run in order and build on each other, as a conversation does."""
    _tests.append(function)
    return function


def run(world):
    """Every test, with world.network up and its directory in world.directory."""
    with Network(("310000", "370000")) as network:
        world.network, world.directory = network, sq.Directory.read(network.directory)
        network.start_all()
        for function in _tests:
            try:
                function()
                check(function.__doc__, True)
            except Exception:
                check(function.__doc__, False, traceback.format_exc())
        for code, process in network.processes.items():
            process.terminate()
            check(f"node {code} ends cleanly", process.wait() == 0, network.read(f"{code}.log")[-3000:])
    done()


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


def connect(network, who, node="310000"):
    """A client of Keys, or of a participant of the directory."""
    keys = sq.Keys.read(network.key(who)) if isinstance(who, str) else who
    return sq.Client(f"tcp://127.0.0.1:{network.ports[node]}", sq.Directory.read(network.directory), node, keys)


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
        self.issuer = connect(network, "issuer:310000")
        keys = {name: sq.Keys.new(name) for name in (f"holder:{HOLDER}", f"holder:{OTHER_HOLDER}", f"provider:{PROVIDER}")}
        far = sq.Keys.new(f"provider:{FAR_PROVIDER}")
        with connect(network, "operator:310000/maker") as operator:
            accepted(operator.send(pb.Enrol(parties=[keys[name].party("310000") for name in sorted(keys)])), 3)
        with connect(network, "operator:370000/maker", "370000") as operator:
            accepted(operator.send(pb.Enrol(parties=[far.party("370000")])), 1)
        self.holder, self.other_holder, self.provider = (connect(network, k) for k in keys.values())
        self.far_provider = connect(network, far, "370000")

    def publish(self, vouchers):
        """Programme 1, and vouchers (face, index of the holder) from serial 1 on."""
        accepted(self.issuer.send(programme(HOME, 1)))
        accepted(self.issuer.send(grant(HOME, 1, 1, [HOLDER, OTHER_HOLDER], vouchers)), len(vouchers))

    @staticmethod
    def mandate(holder, provider, serials, limit_fen, until_ms=2**60):
        accepted(holder.send(pb.Mandate(provider=provider, voucher=[voucher(s) for s in serials],
                                        limit_fen=[limit_fen] * len(serials), until_ms=[until_ms] * len(serials))))
