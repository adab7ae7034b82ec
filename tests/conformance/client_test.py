"""A conversation as the specification tells it: enrolment, programme, vouchers, mandates, batches, receipts, ids."""
import json
import re
import signal
import threading

from talk import (FAR_PROVIDER, FUTURE_DAY, HOLDER, HOME, OTHER_HOLDER, PROVIDER, TEXT, accepted, batch, codes, connect, equal, grant,
                  invoice, name_of, pb, programme, refused, row, run, sq, test, uscc, voucher)


class World:
    """What the tests hand on to each other: the network, clients, the first batch."""


world = World()


# ---- the worked examples of the text ----

def example(label, part):
    """Hexadecimal of an example of the text: `label`, then bytes over one or more lines."""
    found = re.search(rf"^{label} +((?:[0-9a-f]+\n +)*[0-9a-f]+)$", part, re.M)
    return bytes.fromhex(re.sub(r"\s", "", found.group(1)))


def section(title):
    return TEXT.split(title, 1)[1].split("\n## ", 1)[0]


EXAMPLE_ROWS = [
    {"voucher": 3100000001000000001, "amount_fen": amount, "base_fen": base, "invoice": sq.invoice_cell(cell),
     "invoice_total_fen": total, "service": 7, "service_day": day}
    for amount, base, cell, total, day in ((30000, 100000, "26312000000000000001", 113000, 20260901),
                                           (15000, 50000, "26312000000000000002", 56500, 20260902))]


@test
def batch_example():
    """the worked example of a batch comes out of this client byte for byte"""
    part = section("### Worked example: a batch of two rows")
    keys = sq.Keys("provider:" + uscc("91310199TXXXXX001"), sq.nacl.signing.SigningKey(example("seed", part)),
                   sq.nacl.public.PrivateKey.generate())
    equal(keys.public, example("public key", part))
    column = {name: [r[name] for r in EXAMPLE_ROWS] for name in EXAMPLE_ROWS[0]}
    body = pb.Batch(**{**column, "invoice": b"".join(column["invoice"])}).SerializeToString()
    equal(body, example("body", part))
    frame = sq.seal(keys, example("network id", part), pb.BATCH, "node:310000", 1, body, 1790000000000)
    equal(frame, example("envelope", part))
    equal(sq.message_name(example("network id", part), frame), example("name", part))
    envelope = pb.Envelope.FromString(frame)
    equal(envelope.header, example("header", part))
    equal(sq.signed_bytes(example("network id", part), pb.BATCH, envelope.header, body), example("signed", part))


@test
def receipt_example():
    """the worked example of a receipt verifies, and its entry is made again from the batch"""
    part = section("### Worked example: the receipt for the batch above")
    request = example("envelope", section("### Worked example: a batch of two rows"))
    checkpoint = TEXT.split("and the checkpoint:\n\n```\n", 1)[1].split("```", 1)[0]
    receipt = pb.Receipt(answer=example("answer", part), leaf=example("leaf", part), index=2, proof=example("proof", part),
                         checkpoint=checkpoint)
    key = sq.nacl.signing.VerifyKey(example("log public key", part))
    seen = sq.verify_receipt(receipt, request, pb.BATCH, 1, "sanquan-demo/310000", key)
    equal((seen.rebuilt, seen.index, seen.tree_size), (True, 2, 3))
    equal(sq.open_checkpoint(checkpoint, "sanquan-demo/310000", key), (3, example("root", part)))
    equal(seen.decided_ms, 1790000000100)


@test
def damaged_receipt():
    """a receipt with any one part damaged does not verify"""
    part = section("### Worked example: the receipt for the batch above")
    checkpoint = TEXT.split("and the checkpoint:\n\n```\n", 1)[1].split("```", 1)[0]
    key = sq.nacl.signing.VerifyKey(example("log public key", part))
    good = {"answer": example("answer", part), "leaf": example("leaf", part), "index": 2, "proof": example("proof", part),
            "checkpoint": checkpoint}
    damaged = [("index", 1), ("index", 3), ("proof", b""), ("proof", good["proof"] * 2), ("proof", good["proof"][:31]),
               ("checkpoint", checkpoint.replace("\n3\n", "\n4\n")), ("checkpoint", checkpoint.replace("sanquan-demo/", "other/")),
               ("checkpoint", checkpoint.replace("q0sJ2", "q0sJ3")), ("checkpoint", checkpoint.replace("uIp1", "uIp2")),
               ("checkpoint", checkpoint[:-1]), ("answer", b"\x09\x02" + good["answer"][2:])]
    damaged += [("leaf", good["leaf"][:i] + bytes([good["leaf"][i] ^ 1]) + good["leaf"][i + 1:]) for i in range(56)]
    damaged += [("proof", good["proof"][:i] + bytes([good["proof"][i] ^ 1]) + good["proof"][i + 1:]) for i in range(32)]
    for name, value in damaged:
        try:
            sq.verify_receipt(pb.Receipt(**{**good, name: value}), b"", pb.BATCH, 1, "sanquan-demo/310000", key)
        except sq.Invalid:
            continue
        raise AssertionError(f"{name} {value!r} was taken")


# ---- a conversation ----

@test
def operators_enrol():
    """operators enrol providers and holders, with key files that are plain and sealed, and the same again is no error"""
    n = world.network
    sealed = n.key(f"provider:{PROVIDER}")
    n.must("keygen", f"provider:{PROVIDER}", "--out", sealed, "--passphrase-file", n.write("passphrase", "correct horse battery staple\n"))
    keys = {name: sq.Keys.new(name) for name in (f"holder:{HOLDER}", f"holder:{OTHER_HOLDER}")}
    keys[f"provider:{PROVIDER}"] = sq.Keys.read(sealed, b"correct horse battery staple")
    with connect(n, "operator:310000/maker") as operator:
        parties = pb.Enrol(parties=[keys[name].party("310000") for name in sorted(keys)])
        equal(accepted(operator.send(parties), 3).leaf_type, pb.ENROL)
        equal(accepted(operator.send(parties), 3).answer.id, 2)
        other = pb.Enrol(parties=[sq.Keys.new(f"provider:{PROVIDER}").party("310000")])
        equal(name_of(operator.send(other).answer.status), "ALREADY_ENROLLED")
    far = sq.Keys.new(f"provider:{FAR_PROVIDER}")
    with connect(n, "operator:370000/maker", "370000") as operator:
        accepted(operator.send(pb.Enrol(parties=[far.party("370000")])), 1)
    world.holder, _, world.provider = (connect(n, k) for k in keys.values())
    world.far_provider = connect(n, far, "370000")


@test
def issuer_publishes_and_grants():
    """an issuer publishes a programme and grants vouchers under it"""
    world.issuer = connect(world.network, "issuer:310000")
    receipt = accepted(world.issuer.send(programme(HOME, 1)))
    equal(receipt.leaf_type, pb.PROGRAMME)
    vouchers = [(200_000, 0), (40_000, 0), (100_000, 0), (100_000, 0), (100_000, 0), (100_000, 1)]
    receipt = accepted(world.issuer.send(grant(HOME, 1, 1, [HOLDER, OTHER_HOLDER], vouchers)), len(vouchers))
    equal(receipt.rebuilt, True)


@test
def holder_mandates():
    """a holder allows the provider to draw on some of its vouchers"""
    now = world.holder.hello().now_ms
    mandate = pb.Mandate(provider=PROVIDER, voucher=[voucher(1), voucher(2), voucher(4), voucher(5)],
                         limit_fen=[200_000, 50_000, 20_000, 100_000], until_ms=[now + 10**9] * 3 + [now - 1])
    equal(accepted(world.holder.send(mandate)).rebuilt, True)
    accepted(world.holder.send(pb.Mandate(provider=FAR_PROVIDER, voucher=[voucher(1)], limit_fen=[50_000], until_ms=[now + 10**9])))
    receipt = world.holder.send(pb.Mandate(provider=PROVIDER, voucher=[voucher(6)], limit_fen=[1], until_ms=[now + 10**9]))
    equal(name_of(receipt.answer.status), "NOT_YOUR_VOUCHER")


# Rows of one batch, each with what the node must say to it, in the order of their invoices.
ROWS = [
    (row(voucher(1), 10_000, 40_000, "", verb=pb.RESERVE, reservation=0, invoice_total_fen=0), "RESERVATION_UNKNOWN"),
    (row(voucher(1), 10_000, 40_000, invoice(1)), "OK"),
    (row(voucher(1), 1_000, 10_000, invoice(1)), "INVOICE_TOTAL"),
    (row(voucher(1), 1_000, 10_000, invoice(1), invoice_total_fen=45_200), "INVOICE_OVERDRAWN"),
    (row(voucher(1), 12_000, 40_000, invoice(2)), "OK"),
    (row(voucher(1), 12_001, 40_000, invoice(3)), "RATE_EXCEEDED"),
    (row(voucher(99), 10_000, 40_000, invoice(4)), "UNKNOWN_VOUCHER"),
    (row(sq.voucher_number(990000, 1, 1), 10_000, 40_000, invoice(5)), "UNKNOWN_ISSUER"),
    (row(sq.voucher_number(HOME, 2, 1), 10_000, 40_000, invoice(6)), "UNKNOWN_PROGRAMME"),
    (row(voucher(3), 10_000, 40_000, invoice(7)), "NO_MANDATE"),
    (row(voucher(5), 10_000, 40_000, invoice(8)), "MANDATE_EXPIRED"),
    (row(voucher(4), 20_001, 80_000, invoice(9)), "MANDATE_OVERDRAWN"),
    (row(voucher(2), 30_000, 100_000, invoice(10)), "OK"),
    (row(voucher(2), 10_001, 40_000, invoice(11)), "VOUCHER_OVERDRAWN"),
    (row(voucher(1), 10_000, 40_000, invoice(12), service=9), "SERVICE"),
    (row(voucher(1), 10_000, 40_000, invoice(13), service_day=FUTURE_DAY), "SERVICE_DAY"),
    (row(voucher(1), 10_000, 40_000, invoice(14), service_day=20240601), "SERVICE_DAY"),
    (row(voucher(1), 10_000, 40_000, invoice(15), service_day=20250230), "SERVICE_DAY"),
    (row(voucher(1), 10_000, 40_000, invoice(16), verb=6), "VERB"),
    (row(voucher(1), 0, 40_000, invoice(17)), "AMOUNT"),
    (row(voucher(1), 100_001, 400_000, invoice(18)), "CAP_CLAIM"),
    (row(voucher(1), 2_000, 9_999, invoice(19)), "BELOW_MINIMUM"),
    (row(voucher(1), 10_000, 40_000, invoice(20), verb=pb.RETURN), "RETURN_EXCEEDS"),
    (row(voucher(1), 10_000, 40_000, invoice(21), verb=pb.COMMIT, reservation=5), "RESERVATION_UNKNOWN"),
    (row(voucher(1), 10_000, 40_000, invoice(22), invoice=bytes.fromhex("263100000000000000a0")), "INVOICE_FORMAT"),
]


@test
def batch_is_decided():
    """each row of a batch is accepted, or refused for the reason that the text gives"""
    rows = sorted(ROWS, key=lambda r: r[0]["invoice"])
    world.provider.hello()
    frame = world.provider.make(batch([r for r, _ in rows]).SerializeToString(), pb.BATCH, 1)
    receipt = world.provider.deliver(1, pb.BATCH, frame)
    equal(codes(receipt), [name for _, name in rows], receipt.answer.detail)
    good = [r["amount_fen"] for r, name in rows if name == "OK"]
    equal((receipt.answer.status, receipt.answer.count, receipt.answer.amount_fen), (0, len(good), sum(good)))
    equal((receipt.leaf_type, receipt.rebuilt), (pb.BATCH, True))
    world.first_batch = (frame, receipt)


# ---- ids ----

def again(client, frame, message_id, message_type=pb.BATCH):
    return client.deliver(message_id, message_type, frame)


def one_row(n, amount=10_000):
    return batch([row(voucher(1), amount, 40_000, invoice(n))])


def told(client, path):
    """what is said, but for how new it is"""
    answer = json.loads(client.query(path).json)
    answer.pop("as_of_entry")
    return answer


@test
def same_id_again():
    """the same bytes again get the same answer, in a receipt of now, and nothing is done twice"""
    frame, first = world.first_batch
    before = told(world.issuer, f"voucher/{voucher(1)}")
    accepted(world.holder.send(pb.Mandate(provider=PROVIDER, voucher=[voucher(2)], limit_fen=[40_000], until_ms=[2**60])))
    second = again(world.provider, frame, 1)
    equal((second.answer_bytes, second.leaf, second.index), (first.answer_bytes, first.leaf, first.index))
    equal(second.tree_size > first.tree_size, True, "the tree has grown")
    equal(told(world.issuer, f"voucher/{voucher(1)}"), before)


@test
def other_bytes_under_a_used_id():
    """other bytes under a used id are refused, and the first answer stands"""
    other = world.provider.make(one_row(30).SerializeToString(), pb.BATCH, 1)
    r = refused(lambda: again(world.provider, other, 1), "ID_REUSED")
    equal((r.id, r.retry_after_ms), (1, 0))
    frame, first = world.first_batch
    equal(again(world.provider, frame, 1).answer_bytes, first.answer_bytes)
    equal(world.provider.hello().last_id, 1)


@test
def gap():
    """an id that skips one is refused as a gap that names the id expected, and the id is still free"""
    body = one_row(31).SerializeToString()
    frame = world.provider.make(body, pb.BATCH, 3)
    r = refused(lambda: again(world.provider, frame, 3), "GAP")
    equal((r.id, r.expected_id), (3, 2))
    equal(world.provider.hello().last_id, 1)
    accepted(world.provider.send(one_row(31)), 1)
    accepted(again(world.provider, world.provider.make(one_row(32).SerializeToString(), pb.BATCH, 3), 3), 1)
    refused(lambda: again(world.provider, frame, 3), "ID_REUSED")
    equal(world.provider.hello().last_id, 3)


@test
def id_zero():
    """a message that changes something and has id 0 is malformed"""
    r = refused(lambda: again(world.provider, world.provider.make(one_row(33).SerializeToString(), pb.BATCH, 0), 0), "MALFORMED")
    equal(r.expected_id, 4)


@test
def refused_whole_uses_the_id():
    """a batch that is refused whole uses its id up, and its receipt says why"""
    rows = [row(voucher(1), 10_000, 40_000, invoice(n)) for n in (40, 41)]
    short = batch(rows)
    del short.base_fen[:]
    cut = batch(rows)
    cut.invoice = cut.invoice[:-1]
    for wrong, name in ((batch(rows[::-1]), "ORDER"), (short, "COLUMNS"), (cut, "COLUMNS"), (pb.Batch(), "BATCH_SIZE"),
                        (batch(rows[:1] * 8193), "BATCH_SIZE")):
        expected = world.provider.next_id
        receipt = world.provider.send(wrong)
        equal((name_of(receipt.answer.status), codes(receipt), receipt.answer.count), (name, [], 0))
        equal((receipt.answer.id, receipt.rebuilt), (expected, True))
        equal(world.provider.hello().last_id, expected)


# ---- lives of a voucher ----

def money(serial):
    got = json.loads(world.issuer.query(f"voucher/{voucher(serial)}").json)
    return got["face_fen"], got["reserved_fen"], got["spent_fen"]


@test
def reservations():
    """money is reserved, committed, released and returned, and the voucher's figures follow"""
    equal(money(2), (40_000, 0, 30_000))
    until = world.provider.hello().now_ms + 3_600_000
    hold = batch([row(voucher(2), 5_000, 40_000, "", verb=pb.RESERVE, reservation=n, invoice_total_fen=0) for n in (1, 2)],
                 reserve_until_ms=until)
    equal(accepted(world.provider.send(hold), 2).answer.amount_fen, 0)
    equal(money(2), (40_000, 10_000, 30_000))
    rows = [row(voucher(2), 5_000, 0, "", verb=pb.RELEASE, reservation=2, invoice_total_fen=0),
            row(voucher(2), 5_001, 40_000, invoice(50), verb=pb.COMMIT, reservation=1),
            row(voucher(2), 4_000, 40_000, invoice(51), verb=pb.COMMIT, reservation=1),
            row(voucher(2), 4_000, 40_000, invoice(52), verb=pb.COMMIT, reservation=1),
            row(voucher(2), 1_000, 10_000, invoice(51), verb=pb.RETURN)]
    receipt = world.provider.send(batch(sorted(rows, key=lambda r: r["invoice"])))
    equal(codes(receipt), ["OK", "RESERVATION_EXCEEDED", "OK", "OK", "RESERVATION_UNKNOWN"])
    equal((receipt.answer.count, receipt.answer.amount_fen), (3, 3_000))
    equal(money(2), (40_000, 0, 33_000))


@test
def another_region_decides():
    """a voucher of another region is decided there, and the receipt's leaf is that region's decision"""
    rows = [row(voucher(1), 5_000, 40_000, invoice(60, "37")), row(voucher(1), 5_000, 10_000, invoice(61, "37")),
            row(voucher(3), 5_000, 40_000, invoice(62, "37"))]
    receipt = world.far_provider.send(batch(rows))
    equal(codes(receipt), ["OK", "RATE_EXCEEDED", "NO_MANDATE"])
    equal((receipt.answer.count, receipt.answer.amount_fen), (1, 5_000))
    equal((receipt.leaf_type, receipt.rebuilt), (pb.DECIDED, False))
    equal(receipt.answer.seq < receipt.index + 1, True)
    r = world.far_provider.send(batch([row(voucher(1), 5_000, 40_000, invoice(1)), row(voucher(1), 5_000, 40_000, invoice(63))]))
    equal(codes(r), ["INVOICE_SELLER", "OK"])       # the other region's node keeps these invoices


@test
def revoked():
    """a revoked voucher pays no more"""
    accepted(world.issuer.send(pb.Revoke(voucher=[voucher(4)])), 1)
    receipt = world.provider.send(batch([row(voucher(4), 10_000, 40_000, invoice(70))]))
    equal(codes(receipt), ["VOUCHER_REVOKED"])


@test
def killed():
    """a node that was killed gives the same answers, and goes on from the same id"""
    frame, first = world.first_batch
    last = world.provider.hello().last_id
    world.network.stop("310000", signal.SIGKILL)
    world.network.start("310000")
    equal(world.provider.hello(60).last_id, last)
    equal(again(world.provider, frame, 1).answer_bytes, first.answer_bytes)
    accepted(world.provider.send(one_row(80)), 1)


@test
def silent():
    """a message that was sent several times to a node that did not answer is decided once"""
    last, spent = world.provider.hello().last_id, money(1)[2]
    node = world.network.processes["310000"]
    node.send_signal(signal.SIGSTOP)
    threading.Timer(1.5, node.send_signal, [signal.SIGCONT]).start()
    frame = world.provider.make(one_row(81).SerializeToString(), pb.BATCH, last + 1)
    for _ in range(3):
        world.provider.put(frame)
    receipts = [accepted(again(world.provider, frame, last + 1), 1) for _ in range(3)]
    equal(len({r.answer_bytes for r in receipts}), 1)
    equal(world.provider.hello().last_id, last + 1)
    equal(money(1)[2], spent + 10_000)


if __name__ == "__main__":
    run(world)
