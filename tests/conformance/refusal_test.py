"""What a node refuses before it is decided: envelopes, spellings, roles, connections, questions."""
import json
import re

import zmq
import zmq.utils.monitor
from talk import (FAR_PROVIDER, HOLDER, HOME, NOBODY, OTHER_HOLDER, PROVIDER, TEXT, Market, accepted, batch, connect, equal, invoice,
                  name_of, pb, programme, refused, row, run, sq, test, voucher)


class World:
    """What the tests hand on to each other: the network, clients."""


world = World()


# ---- refused before it is decided ----

def one_row(n):
    return batch([row(voucher(1), 10_000, 40_000, invoice(n))])


def envelope(client, body=None, spelled=None, sign=None, **header):
    """A frame of which some fields of the header, its spelling or the signing key are other than they should be."""
    body = one_row(1).SerializeToString() if body is None else body
    network_id = client.directory.network_id
    fields = {"version": 1, "type": pb.BATCH, "algorithm": 1, "sender": client.keys.name, "receiver": client.node,
              "id": client.next_id, "sent_at_ms": 1, "network": int.from_bytes(network_id[:8], "big"), **header}
    head = pb.Header(**fields).SerializeToString() if spelled is None else spelled
    signature = (sign or client.keys).message_key.sign(sq.signed_bytes(network_id, fields["type"], head, body)).signature
    return pb.Envelope(header=head, body=body, signature=signature).SerializeToString()


def is_refused(client, frame, name, message_id=0):
    """The frame is answered by a Refusal of this name, and no id is used up."""
    last = client.hello().last_id
    r = refused(lambda: client.deliver(message_id, pb.BATCH, frame), name)
    equal(r.id, message_id, r.detail)
    equal(client.hello().last_id, last)


@test
def envelopes_refused():
    """envelopes of another network, receiver, sender, version, type, algorithm or signature are refused, each for its reason"""
    market = world.market = Market(world.network)
    market.publish([(1_000_000, 0), (1_000_000, 1)])
    market.mandate(market.holder, PROVIDER, [1], 1_000_000)
    p = world.provider = market.provider
    p.hello()
    is_refused(p, envelope(p, network=1), "WRONG_NETWORK", 1)
    is_refused(p, envelope(p, receiver="node:370000"), "WRONG_RECEIVER", 1)
    is_refused(p, envelope(p, sender=f"provider:{NOBODY}"), "UNKNOWN_SENDER", 1)
    is_refused(p, envelope(p, sender=f"holder:{HOLDER}"), "WRONG_TRANSPORT", 1)
    is_refused(p, envelope(p, sign=market.holder.keys), "BAD_SIGNATURE", 1)
    is_refused(p, envelope(p, version=2), "UNKNOWN_TYPE")
    is_refused(p, envelope(p, type=99), "UNKNOWN_TYPE")
    is_refused(p, envelope(p, algorithm=2), "ALGORITHM")
    other = sq.Directory(b"# the same directory, other bytes\n" + world.network.read("directory.yaml").encode())
    is_refused(p, sq.seal(p.keys, other.network_id, pb.BATCH, p.node, 1, one_row(1).SerializeToString()), "WRONG_NETWORK", 1)
    good = envelope(p)
    is_refused(p, good[:-1] + bytes([good[-1] ^ 1]), "BAD_SIGNATURE", 1)
    accepted(p.deliver(1, pb.BATCH, good), 1)          # and without a fault it is taken


@test
def checks_in_order():
    """of several faults of an envelope the first in the order of the text is told"""
    p = world.provider
    p.hello()
    faults = [("UNKNOWN_TYPE", 0, {"type": 99}), ("ALGORITHM", 0, {"algorithm": 2}),
              ("UNKNOWN_SENDER", 2, {"sender": f"provider:{NOBODY}"}),
              ("WRONG_TRANSPORT", 2, {"sender": f"holder:{HOLDER}"}), ("WRONG_RECEIVER", 2, {"receiver": "node:370000"}),
              ("WRONG_NETWORK", 2, {"network": 1}), ("BAD_SIGNATURE", 2, {"sign": world.market.holder.keys})]
    for i, (name, message_id, _) in enumerate(faults):
        together = {}
        for _, _, fault in reversed(faults[i:]):
            together |= fault
        is_refused(p, envelope(p, **together), name, message_id)


@test
def roles():
    """messages of another role are not permitted, and use up their ids"""
    m = world.market
    for client, message in ((m.provider, programme(HOME, 9)), (m.provider, pb.WindowCut(window=1)), (m.holder, one_row(2)),
                            (m.issuer, pb.Enrol(parties=[m.holder.keys.party("310000")]))):
        last = client.hello().last_id
        receipt = client.send(message)
        equal((name_of(receipt.answer.status), receipt.rebuilt), ("NOT_PERMITTED", True))
        equal(client.hello().last_id, last + 1)


# ---- canonical form ----

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def long_varint(n):
    """One byte longer than it need be."""
    v = varint(n)
    return v[:-1] + bytes([v[-1] | 128, 0])


def fields(data):
    """[(tag, value as spelled)] of a message without varint fields over one byte in their tags."""
    found, at = [], 0
    while at < len(data):
        start, kind = at, data[at] & 7
        tag = varint(data[at])
        at += len(tag)
        if kind == 0:
            while data[at] & 128:
                at += 1
            at += 1
        elif kind == 2:
            size, shift = 0, 0
            while True:
                b = data[at]
                at, size, shift = at + 1, size | (b & 127) << shift, shift + 7
                if not b & 128:
                    break
            at += size
        else:
            at += 8 if kind == 1 else 4
        found.append((data[start:start + 1], data[start + 1:at]))
    return found


def spell(parts):
    return b"".join(tag + value for tag, value in parts)


def wrong_spellings(data):
    """Other spellings of the same message, or of one much like it: rule of section 6, bytes."""
    parts = fields(data)
    yield 1, spell(parts[1:] + parts[:1])
    yield 2, spell(parts[:1] + parts)
    yield 5, spell([(parts[0][0][:-1] + bytes([parts[0][0][-1] | 128, 0]), parts[0][1])] + parts[1:])
    yield 6, data + b"\xf8\x07\x01"                  # field 127
    yield 6, data + b"\xfb\x07\xfc\x07"             # a group
    yield 7, data[:-1]
    yield 7, data + b"\xff\xff"


@test
def body_spellings():
    """a body that is spelled in any other than the canonical way is malformed, and uses up the id"""
    p = world.provider
    good = batch([row(voucher(1), 10_000, 40_000, invoice(n)) for n in (100, 101)]).SerializeToString()
    parts = fields(good)
    equal(parts[0][0], b"\x0a")
    cells = parts[0][1][1:]
    amounts = dict(parts)[b"\x12"]
    wrong = [*wrong_spellings(good),
             (3, good + b"\x61" + bytes(8)),                                             # reserve_until_ms 0
             (3, good + b"\x52\x00"),                                                    # verb, an empty column
             (4, spell([(b"\x09", cells[:8]), (b"\x09", cells[8:])] + parts[1:])),       # not packed
             (4, spell([(b"\x0a", b"\x08" + cells[:8]), (b"\x0a", b"\x08" + cells[8:])] + parts[1:])),   # in two pieces
             (4, spell([(b"\x0a", b"\x0f" + cells[:15])] + parts[1:])),                  # half a cell
             (5, spell([(b"\x0a", long_varint(16) + cells)] + parts[1:])),                # length
             (6, spell(parts[:1] + [(b"\x15", amounts[1:5])] + parts[2:]))]               # wire type of amount_fen
    last = p.hello().last_id
    for message_id, (rule, body) in enumerate(wrong, last + 1):
        receipt = p.deliver(message_id, pb.BATCH, p.make(body, pb.BATCH, message_id))
        equal((name_of(receipt.answer.status), receipt.rebuilt), ("MALFORMED", True), f"rule {rule}: {body.hex()}")
    equal(p.hello().last_id, last + len(wrong))
    accepted(p.deliver(p.next_id, pb.BATCH, p.make(good, pb.BATCH, p.next_id)), 2)      # in its canonical form it is taken


@test
def texts():
    """text that is not well-formed UTF-8, or has control characters, is malformed"""
    spellings = dict(re.findall(r"^\| Query \| `([0-9a-f ]+)` \| ([^|]+) \|", TEXT, re.M))
    equal(len(spellings) >= 5, True, "the table of section 6 is there")
    for spelling in spellings:
        body = bytes.fromhex(spelling)
        is_refused(world.provider, envelope(world.provider, body, type=pb.QUERY, id=0), "MALFORMED")
    for text in ("status\n", "\x7f", "\u0085"):
        refused(lambda t=text: world.provider.query(t), "MALFORMED")


@test
def envelope_spellings():
    """an envelope or header that is spelled in any other than the canonical way is malformed, and uses up no id"""
    p = world.provider
    good = envelope(p)
    header = pb.Envelope.FromString(good).header
    for rule, frame in wrong_spellings(good):
        is_refused(p, frame, "MALFORMED")
    for rule, head in [*wrong_spellings(header), (3, header.replace(b"\x18\x01", b"\x18\x00")),
                       (5, header.replace(b"\x18\x01", b"\x18\x81\x00")), (5, header.replace(b"\x18\x01", b"\x18\x81\x80\x80\x80\x10")),
                       (8, header.replace(b"provider", b"provide\x7f")), (8, header.replace(b"provider", b"provide\xff"))]:
        is_refused(p, envelope(p, spelled=head), "MALFORMED")
    is_refused(p, spell([(b"\x12", b"\x00") if tag == b"\x12" else (tag, value) for tag, value in fields(envelope(p))]), "MALFORMED")
    is_refused(p, spell([(tag, b"\x3f" + value[1:-1]) if tag == b"\x1a" else (tag, value) for tag, value in fields(good)]), "MALFORMED")
    is_refused(p, b"\x00", "MALFORMED")
    accepted(p.send(one_row(102)), 1)


# ---- transport ----

@test
def several_frames():
    """messages of several frames, empty ones, and answers sent to a node get no answer"""
    p = world.provider
    frame = p.make(pb.Hello(nonce=77).SerializeToString(), pb.HELLO, 0)
    p.socket.send_multipart([b"", frame])
    p.socket.send_multipart([frame, frame])
    p.socket.send(b"")
    p.socket.send(p.make(pb.HelloOk(nonce=77).SerializeToString(), pb.HELLO_OK, 0))
    p.socket.send(p.make(b"", pb.GENESIS, 0))
    for nonce in (78, 79):
        p.socket.send(p.make(pb.Hello(nonce=nonce).SerializeToString(), pb.HELLO, 0))
        answer, _ = p.get(30)
        equal((type(answer).__name__, answer.nonce), ("HelloOk", nonce))


@test
def unknown_transport_key():
    """a transport key that nobody was enrolled with is refused in the handshake, with status 400"""
    stranger = sq.Keys.new(f"provider:{NOBODY}")
    s = zmq.Context.instance().socket(zmq.DEALER)
    s.linger = 0
    s.curve_serverkey = world.directory.nodes["310000"]["transport_key"]
    s.curve_publickey, s.curve_secretkey = stranger.transport_public, bytes(stranger.transport_key)
    monitor = s.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_SUCCEEDED)
    s.connect(world.market.provider.endpoint)
    equal(bool(monitor.poll(30_000)), True)
    event = zmq.utils.monitor.recv_monitor_message(monitor)
    equal((event["event"], event["value"]), (zmq.EVENT_HANDSHAKE_FAILED_AUTH, 400))
    s.disable_monitor()
    s.close()


# ---- questions ----

def asked(client, path, status="OK"):
    answer = client.query(path)
    equal((name_of(answer.status), answer.json == ""), (status, status != "OK"), path)
    return json.loads(answer.json) if answer.json else None


@test
def status_for_anyone():
    """anyone may ask for the node's status and programmes"""
    for client in (world.market.provider, world.market.holder, world.market.issuer):
        status = asked(client, "status")
        equal((status["node"], status["network"], status["network_id"], status["log"]),
              ("310000", "test", world.directory.network_id.hex(), "test/310000"))
        equal([p["title"] for p in asked(client, "programmes")["programmes"]], ["conformance 算力券"])


@test
def who_may_ask():
    """vouchers, parties, windows and links are told to whom the text says, and to no one else"""
    m = world.market
    m.mandate(m.holder, FAR_PROVIDER, [1], 5_000)
    accepted(m.far_provider.send(batch([row(voucher(1), 5_000, 40_000, invoice(9, "37"))])), 1)
    with connect(world.network, "operator:310000/maker") as operator, connect(world.network, "regulator:mof") as mof:
        for client in (operator, mof):
            equal(asked(client, f"voucher/{voucher(1)}")["face_fen"], 1_000_000)
            equal(asked(client, f"party/provider:{PROVIDER}")["last_id"], m.provider.hello().last_id)
            equal([w["state"] for w in asked(client, "windows")["windows"]], ["open"])
            equal(asked(client, "window/1")["window"], 1)
            equal(asked(client, "agreements")["agreements"], [])
            equal(asked(client, "prefunds")["prefunds"], [])
            equal(asked(client, "applications/310000/1")["applications"], [])
            equal(asked(client, f"org/{PROVIDER}")["facts"], [])
            equal(asked(client, "invoice/26310000000000000099/5")["known"], False)
            equal([(link["debtor"], link["creditor"], link["count"], link["total_fen"][0]) for link in asked(client, "links")["links"]
                   if link["debtor"] != link["creditor"]], [("310000", "370000", 1, 5_000), ("370000", "310000", 0, 0)])
        equal(asked(m.holder, f"voucher/{voucher(1)}")["holder"], f"holder:{HOLDER}")
        equal(asked(m.issuer, f"voucher/{voucher(2)}")["holder"], f"holder:{OTHER_HOLDER}")
        equal(asked(m.provider, f"party/provider:{PROVIDER}")["enrolled"], True)
        for client, path, status in (
                (m.holder, f"voucher/{voucher(2)}", "NOT_PERMITTED"), (m.holder, f"voucher/{voucher(99)}", "NOT_PERMITTED"),
                (m.provider, f"voucher/{voucher(1)}", "NOT_PERMITTED"), (m.provider, "windows", "NOT_PERMITTED"),
                (m.provider, "window/1", "NOT_PERMITTED"), (m.holder, "links", "NOT_PERMITTED"),
                (m.holder, f"party/provider:{PROVIDER}", "NOT_PERMITTED"), (mof, "nothing", "UNKNOWN_QUERY"),
                (mof, "window/9", "UNKNOWN_QUERY"), (mof, "window/1x", "UNKNOWN_QUERY"), (mof, f"voucher/{voucher(99)}", "UNKNOWN_VOUCHER"),
                (mof, f"party/provider:{NOBODY}", "UNKNOWN_SENDER"), (m.provider, "agreements", "NOT_PERMITTED"),
                (m.holder, "prefunds", "NOT_PERMITTED"), (m.provider, "applications/310000/1", "NOT_PERMITTED"),
                (mof, "applications/310000", "UNKNOWN_QUERY"), (m.holder, f"org/{PROVIDER}", "NOT_PERMITTED"),
                (mof, "org/12", "BAD_USCC"), (mof, f"org/{NOBODY}", "UNKNOWN_SENDER"),
                (m.holder, "invoice/26370000000000000009", "NOT_PERMITTED"), (mof, "invoice/123", "UNKNOWN_QUERY")):
            asked(client, path, status)


if __name__ == "__main__":
    run(world)
