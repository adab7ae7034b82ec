"""The signed question history?...: conditions, pages, sums, who sees what, proofs, and that a certified pair is complete."""
import json
import os
import time

import nacl.signing

from talk import (FAR_PROVIDER, HOLDER, HOME, NOBODY, OTHER_HOLDER, PROVIDER, Market, accepted, batch, codes, connect, equal, grant,
                  invoice, name_of, pb, row, run, sq, test, voucher)

MOVES = ("redeem", "commit", "return")
METHODS = {"bilateral": 1, "hub": 2, "cycles": 3, "gross": 5}


class World:
    """What the tests hand on to each other: the network, clients, receipts."""


world = World()


def ask(client, path, patience_s=60):
    """A question's answer; a node that is busy is asked again."""
    until = time.monotonic() + patience_s
    while True:
        answer = client.query(path)
        if answer.status == 0:
            equal(answer.detail, "")
            return json.loads(answer.json)
        if name_of(answer.status) != "BUSY" or time.monotonic() > until:
            raise AssertionError(f"{path}: {name_of(answer.status)} {answer.detail}")
        time.sleep(0.05)


def history(client, conditions="", seq=0):
    """An answer that has seen the entry `seq`."""
    while (answer := ask(client, f"history?{conditions}"))["ledger"]["entries"] < seq:
        time.sleep(0.02)
    return answer


def items(client, conditions="", seq=0, page=500):
    """All items, page by page."""
    found, after = [], ""
    while True:
        answer = history(client, f"{conditions}&max={page}{after}", seq)
        found += answer["items"]
        equal(len(answer["items"]) <= page, True, "items of a page")
        if "after" not in answer:
            return found
        equal(len(answer["items"]), page, "a page that is not the last is full")
        equal(answer["after"], "{seq}.{row}".format(**found[-1]))
        after = "&after=" + answer["after"]


def places(found):
    return [(i["seq"], i["row"]) for i in found]


# ---- trade ----

def three_batches(province):
    """Rows of every verb, and what is answered."""
    hold = {"scenario": 0, "invoice_total_fen": 0}
    return (([row(voucher(1), 9_000, 30_000, invoice(1, province), scenario=7),
              row(voucher(2), 9_001, 30_000, invoice(2, province), scenario=8),
              row(voucher(2), 6_000, 30_000, invoice(3, province), scenario=8)], ["OK", "RATE_EXCEEDED", "OK"]),
            ([row(voucher(1), 3_000, 30_000, "", verb=pb.RESERVE, reservation=1, **hold),
              row(voucher(3), 2_000, 30_000, "", verb=pb.RESERVE, reservation=2, **hold),
              row(voucher(9), 1_000, 30_000, invoice(4, province), scenario=7)], ["OK", "OK", "UNKNOWN_VOUCHER"]),
            ([row(voucher(3), 2_000, 30_000, "", verb=pb.RELEASE, reservation=2, **hold),
              row(voucher(1), 4_000, 15_000, invoice(1, province), verb=pb.RETURN, scenario=0),
              row(voucher(1), 2_500, 30_000, invoice(5, province), verb=pb.COMMIT, reservation=1, scenario=0)], []))


def same_as_sent(item, message, n):
    """The item says what row n of the batch said."""
    equal((item["batch_row"], item["voucher"], item["amount_fen"]), (n, f"{message.voucher[n]:019d}", message.amount_fen[n]))
    equal((item["base_fen"], item["invoice_total_fen"]), (message.base_fen[n], message.invoice_total_fen[n]))
    equal(item.get("invoice", "0" * 20), message.invoice[10 * n:10 * n + 10].hex())
    equal((item["service"], item["service_day"]), (message.service[n], message.service_day[n]))
    equal(item.get("scenario", 0), message.scenario[n])
    equal(item["verb"], pb.Verb.Name(message.verb[n] if message.verb else pb.REDEEM).lower())


@test
def trade():
    """batches of a home provider and a far one, with every verb, are in the history as they were sent and answered"""
    m = world.market = Market(world.network)
    m.publish([(1_000_000, 0), (1_000_000, 1), (1_000_000, 0)])
    for provider in (PROVIDER, FAR_PROVIDER):
        m.mandate(m.holder, provider, [1, 3], 1_000_000)
        m.mandate(m.other_holder, provider, [2], 1_000_000)
    until = m.provider.hello().now_ms + 3_600_000
    world.batches = []
    for client, province in ((m.provider, "31"), (m.far_provider, "37")):
        for rows, wanted in three_batches(province):
            message = batch(rows, reserve_until_ms=until)
            receipt = client.send(message)
            equal(codes(receipt), wanted)
            world.batches.append((client, message, receipt))
    for client, message, receipt in world.batches:
        found = items(client, f"batch={receipt.answer.seq}", receipt.index + 1)
        equal(len(found), len(message.voucher))
        for n, item in enumerate(found):
            same_as_sent(item, message, n)
            code = receipt.answer.code[n] if receipt.answer.code else 0
            equal((item["seq"], item["row"], item["batch"]), (receipt.answer.seq, n, receipt.answer.seq))
            equal((item["state"], item.get("refusal", 0)), ("refused" if code else "accepted", code))
            equal(item.get("refusal_name"), "SQ_R_" + name_of(code) if code else None)
            equal(item["decided_seq"], receipt.index + 1)


@test
def two_ledgers():
    """a redemption across regions is an item in both ledgers, the same by batch and row"""
    m = world.market
    world.far_operator = connect(world.network, "operator:370000/maker", "370000")
    world.operator = connect(world.network, "operator:310000/maker")
    world.regulator = connect(world.network, "regulator:mof")
    both = ("batch", "batch_row", "state", "voucher", "provider", "debtor", "creditor", "amount_fen", "base_fen", "invoice", "verb",
            "refusal", "link")
    sides = [[tuple(i.get(key) for key in both) for i in items(client, "debtor=310000&creditor=370000")]
             for client in (world.far_operator, world.operator)]
    equal(len(sides[0]), 9)
    equal(sides[0], sides[1])
    equal(items(m.far_provider, "debtor=370000"), [])
    held = items(world.operator, "voucher=" + str(voucher(2)))
    equal({i["holder"] for i in held}, {OTHER_HOLDER})
    equal(len(held), 4)


# ---- conditions and form ----

CONDITIONS = {
    "voucher=3100000001000000002": lambda i: i["voucher"] == "3100000001000000002",
    f"provider={PROVIDER}": lambda i: i["provider"] == PROVIDER,
    f"holder={HOLDER}": lambda i: i.get("holder") == HOLDER,
    "invoice=" + invoice(1): lambda i: i.get("invoice") == invoice(1),
    "issuer=310000": lambda i: i["voucher"][:6] == "310000",
    "programme=310000/1": lambda i: i["voucher"][:10] == "3100000001",
    "programme=310000%2F1&kind=1": lambda i: i["kind"] == 1,
    "scenario=8": lambda i: i.get("scenario") == 8,
    "kind=2": lambda i: False,
    "creditor=370000": lambda i: i["creditor"] == "370000",
    "debtor=310000&creditor=310000": lambda i: i["creditor"] == "310000",
    "region=370000": lambda i: "370000" in (i["debtor"], i["creditor"]),
    "state=accepted": lambda i: i["state"] == "accepted",
    "state=refused": lambda i: i["state"] == "refused",
    "state=waiting": lambda i: False,
    "refusal=SQ_R_RATE_EXCEEDED": lambda i: i.get("refusal") == 140,
    "refusal=131": lambda i: i.get("refusal") == 131,
    "least=2500&most=4000": lambda i: 2_500 <= i["amount_fen"] <= 4_000,
    "window=1": lambda i: i["window"] == 1,
    "window=2": lambda i: False,
    "from=20200101": lambda i: True,
    "until=20200101": lambda i: False,
    f"state=refused&provider={FAR_PROVIDER}&voucher=&least=9001": lambda i: i["provider"] == FAR_PROVIDER and i.get("refusal") == 140,
}


@test
def conditions():
    """each condition chooses the items that meet it, and no other"""
    everything = items(world.operator)
    equal(len(everything), 18)
    for text, meets in CONDITIONS.items():
        wanted = [i for i in everything if meets(i)]
        equal(items(world.operator, text), wanted, text)
        equal(history(world.operator, text + "&sums=1")["sums"], sums_of(wanted), text)
    middle = everything[9]["at_ms"]
    equal(items(world.operator, f"until={middle}"), [i for i in everything if i["at_ms"] < middle])
    equal(items(world.operator, f"from={middle}"), [i for i in everything if i["at_ms"] >= middle])


def sums_of(found):
    """What the text says that sums are."""
    states = {state: {"count": 0, "amount_fen": 0} for state in ("accepted", "refused", "waiting", "granted", "mandated", "revoked")}
    by_kind, refused, moved = [0] * 7, {}, 0
    for i in found:
        verb = i.get("verb")
        if i["state"] == "refused":
            refused[i["refusal_name"]] = refused.get(i["refusal_name"], 0) + 1
        fen = -i["amount_fen"] if verb == "return" else i["amount_fen"]
        if i["state"] == "accepted":
            fen = fen if verb in MOVES else 0
            by_kind[i["kind"] - 1] += fen
            moved += verb in MOVES
        states[i["state"]]["count"] += 1
        states[i["state"]]["amount_fen"] += fen
    return {**states, "accepted_by_kind_fen": by_kind, "refused_by_code": refused, "moved_count": moved}


@test
def pages():
    """pages of any size, in either order, follow on each other without a gap, also while items are added"""
    everything = items(world.operator)
    for page in (1, 2, 5, 17, 18, 19):
        equal(items(world.operator, page=page), everything, f"pages of {page}")
        equal(items(world.operator, "order=newest", page=page), everything[::-1], f"pages of {page}, newest first")
    equal(len(history(world.operator)["items"]), 18)
    first = history(world.operator, "max=10")
    newest = history(world.operator, "order=newest&max=10")
    receipt = accepted(world.market.provider.send(batch([row(voucher(1), 1_000, 10_000, invoice(20))])), 1)
    rest = items(world.operator, "after=" + first["after"], receipt.index + 1)
    equal(first["items"] + rest[:-1], everything)
    equal((rest[-1]["seq"], rest[-1]["amount_fen"]), (receipt.index + 1, 1_000))
    equal(newest["items"] + items(world.operator, "order=newest&after=" + newest["after"]), everything[::-1])


@test
def life():
    """with life=1 a voucher's grant, mandates and revocation are there too"""
    m = world.market
    revoked = accepted(m.issuer.send(pb.Revoke(voucher=[voucher(3)])), 1)
    found = items(world.operator, f"voucher={voucher(3)}&life=1", revoked.index + 1)
    equal([(i["state"], i.get("verb"), i["amount_fen"]) for i in found],
          [("granted", None, 1_000_000), ("mandated", None, 1_000_000), ("mandated", None, 1_000_000), ("accepted", "reserve", 2_000),
           ("accepted", "release", 2_000), ("accepted", "reserve", 2_000), ("accepted", "release", 2_000), ("revoked", None, 0)])
    equal([i.get("provider") for i in found[:3]], [None, PROVIDER, FAR_PROVIDER])
    equal(history(world.operator, f"voucher={voucher(3)}&life=1&sums=1")["sums"], sums_of(found))
    equal({i["state"] for i in items(world.operator, "life=1&state=granted")}, {"granted"})


@test
def not_understood():
    """a question that is not understood is refused, and told what would be"""
    for text, detail in (("colour=blue", "colour"), ("voucher=x", "voucher number"), ("max=501", "1 to 500"), ("max=0", "1 to 500"),
                         (f"provider={PROVIDER[:-1]}0", "social credit"), ("from=20250230", "yyyymmdd"), ("after=7", "SEQ.ROW"),
                         ("order=random", "oldest or newest"), ("refusal=SQ_R_NOTHING", "refusal"), ("kind=%3", "hexadecimal"),
                         ("voucher", "key=value"), ("state=lost", "accepted"), ("&" * 2001, "2001 characters"),
                         ("colour=%0A%C3", "there is no condition")):
        answer = world.operator.query(f"history?{text}")
        equal((name_of(answer.status), answer.json), ("UNKNOWN_QUERY", ""), text)
        equal(detail in answer.detail, True, f"{text}: {answer.detail}")
    answer = world.operator.query("histories?max=1")
    equal(name_of(answer.status), "UNKNOWN_QUERY")


# ---- who sees what ----

@test
def scope():
    """everyone sees its own rows and no others, in items and sums, whatever it asks"""
    m = world.market
    everything = items(world.operator, "life=1")
    of_voucher = set(places(items(world.operator, f"life=1&voucher={voucher(2)}")))
    own = {m.provider: lambda i: i.get("provider") == PROVIDER,
           m.holder: lambda i: i.get("holder") == HOLDER,
           m.other_holder: lambda i: i.get("holder") == OTHER_HOLDER,
           m.issuer: lambda i: i["voucher"][:6] == "310000",
           world.regulator: lambda i: True}
    for client, mine in own.items():
        wanted = [i for i in everything if mine(i)]
        equal(places(items(client, "life=1")), places(wanted), client.keys.name)
        equal(history(client, "life=1&sums=1")["sums"], sums_of(wanted), client.keys.name)
        equal(places(items(client, f"life=1&voucher={voucher(2)}")), [p for p in places(wanted) if p in of_voucher], client.keys.name)
    for client, text in ((m.provider, f"provider={FAR_PROVIDER}"), (m.holder, f"holder={OTHER_HOLDER}"), (m.issuer, "issuer=370000"),
                         (m.provider, f"provider={NOBODY}")):
        answer = client.query(f"history?{text}&sums=1")
        equal((name_of(answer.status), answer.json), ("NOT_PERMITTED", ""), text)
    with connect(world.network, "operator:370000/checker") as stranger:
        equal(name_of(stranger.query("history?max=1").status), "NOT_PERMITTED")


@test
def granted_later():
    """rows on a voucher that was not granted yet are its holder's from the grant on"""
    m = world.market
    before = items(world.operator, f"voucher={voucher(9)}")
    equal([(i["refusal_name"], "holder" in i) for i in before], [("SQ_R_UNKNOWN_VOUCHER", False)] * 2)
    receipt = accepted(m.issuer.send(grant(HOME, 1, 4, [HOLDER], [(1_000, 0)] * 6)), 6)
    after = [{**i, "holder": HOLDER} for i in before]
    for client, text in ((world.operator, ""), (world.operator, f"&holder={HOLDER}"), (m.holder, "")):
        equal(items(client, f"voucher={voucher(9)}{text}", receipt.index + 1), after)
    equal([i for i in items(m.holder) if i["voucher"] == str(voucher(9))], after)
    equal([i for i in items(world.operator) if i["voucher"] == str(voucher(9))], after)
    equal(items(m.other_holder, f"voucher={voucher(9)}"), [])


# ---- proofs ----

def check_proofs(client, answer):
    """Every proof of an answer: {seq: leaf}."""
    leaves = {}
    for p in answer["proofs"]:
        leaf = bytes.fromhex(p["leaf"])
        size = sq.check_inclusion(leaf, p["index"], bytes.fromhex(p["proof"]), answer["checkpoint"], client.log_name, client.log_key)
        equal(p["index"], p["seq"] - 1)
        equal(size >= answer["ledger"]["entries"], True)
        leaves[p["seq"]] = leaf
    equal(list(leaves), sorted(leaves))
    equal(set(leaves), {i["seq"] for i in answer["items"]} | {i["decided_seq"] for i in answer["items"]})
    return leaves


def leaf_type(leaf):
    return int.from_bytes(leaf[2:4], "big")


@test
def proofs():
    """proofs lead from every entry of a page to the signed checkpoint, and the leaves are those of the receipts"""
    m = world.market
    for client, types in ((m.provider, {pb.BATCH}), (m.far_provider, {pb.BATCH, pb.DECIDED}), (world.operator, {pb.BATCH, pb.CLEAR})):
        answer = history(client, "proofs=1&order=newest&max=500")
        leaves = check_proofs(client, answer)
        equal({leaf_type(leaf) for leaf in leaves.values()}, types, client.keys.name)
        for i in answer["items"]:
            equal(int.from_bytes(leaves[i["seq"]][16:24], "big"), i["at_ms"])
        for sender, _, receipt in world.batches:
            if sender is client:
                equal(leaves[receipt.index + 1], receipt.leaf)
                equal(leaf_type(leaves[receipt.answer.seq]), pb.BATCH)


@test
def wrong_proofs():
    """a proof of another leaf, place or ledger does not verify"""
    client = world.operator
    answer = history(client, "proofs=1&max=500")
    good = answer["proofs"]
    for i, p in enumerate(good):
        other = good[i - 1]
        for wrong in ({**p, "leaf": other["leaf"]}, {**p, "index": other["index"]}, {**p, "proof": other["proof"]},
                      {**p, "proof": p["proof"][:-64]}):
            try:
                sq.check_inclusion(bytes.fromhex(wrong["leaf"]), wrong["index"], bytes.fromhex(wrong["proof"]), answer["checkpoint"],
                                   client.log_name, client.log_key)
            except sq.Invalid:
                continue
            raise AssertionError(f"{wrong} was taken")
    try:
        check_proofs(world.far_operator, answer)
    except sq.Invalid:
        return
    raise AssertionError("another node's checkpoint was taken")


# ---- a certified pair is complete ----

def final_window(client, number, patience_s=60):
    until = time.monotonic() + patience_s
    while (window := ask(client, f"window/{number}"))["state"] != "final":
        if time.monotonic() > until:
            raise AssertionError(f"window {number} is {window['state']}")
        time.sleep(0.05)
    return window


def settlement_of(window):
    """The value agreed on, packed again."""
    return pb.Settlement(window=window["window"], method=METHODS[window["method"]],
                         pairs=[pb.Pair(**{**p, "hash": bytes.fromhex(p["hash"])}) for p in window["pairs"]],
                         nets=[pb.Position(**p) for p in window["nets"]],
                         payments=[pb.Payment(**p) for p in window["payments"]]).SerializeToString()


def settlement_hash(value):
    """What votes are for: section 13."""
    parts = [value[at:at + 524288] for at in range(0, len(value), 524288)]
    return sq.sha256(b"sanquan/settlement/v1\0", len(value).to_bytes(8, "big"), *(sq.sha256(p) for p in parts))


def link_hash(pair, steps):
    """The hash after these steps of a stream that begins with its first: section 12."""
    hash_now = bytes(32)
    for number, step in enumerate(steps, 1):
        result = sq.sha256(b"".join(i["batch_row"].to_bytes(4, "big") for i in step), bytes(i.get("refusal", 0) for i in step))
        sums = sums_of(step)
        hash_now = sq.sha256(b"sanquan/link/v1\0", hash_now, number.to_bytes(8, "big"), pair["debtor"].encode(), pair["creditor"].encode(),
                             step[0]["batch"].to_bytes(8, "big"), result, sums["moved_count"].to_bytes(8, "big"),
                             b"".join(fen.to_bytes(8, "big", signed=True) for fen in sums["accepted_by_kind_fen"]))
    return hash_now


@test
def complete():
    """count, sums, link numbers and hash of a certified pair are those of its window's items, in both ledgers"""
    accepted(world.operator.send(pb.WindowCut(window=1)))
    windows = [final_window(client, 1) for client in (world.operator, world.far_operator)]
    equal(windows[0]["settlement_hash"], windows[1]["settlement_hash"])
    equal(windows[0]["pair_count"], 1)
    equal(set(windows[0]["signers"]), {"310000", "370000"})
    for window, client, grouped in zip(windows, (world.operator, world.far_operator), ("seq", "decided_seq")):
        equal(settlement_hash(settlement_of(window)).hex(), window["settlement_hash"])
        pair = window["pairs"][0]
        equal((pair["debtor"], pair["creditor"], pair["first"]), ("310000", "370000", 1))
        question = "window=1&debtor=310000&creditor=370000"
        sums = history(client, question + "&sums=1")["sums"]
        equal((sums["moved_count"], sums["accepted_by_kind_fen"]), (pair["count"], pair["total_fen"]))
        equal((pair["count"], pair["total_fen"][0]), (4, 9_000 + 6_000 - 4_000 + 2_500))
        found = items(client, question)
        equal(sums_of(found), sums)
        equal({i["final"] for i in found if i["state"] == "accepted"}, {True})
        equal({i["link"] for i in found if i["state"] == "accepted" and i["verb"] in MOVES}, set(range(pair["first"], pair["last"] + 1)))
        steps = {}
        for i in found:
            steps.setdefault(i[grouped], []).append(i)
        moved = [sorted(s, key=lambda i: i["batch_row"]) for _, s in sorted(steps.items()) if any("link" in i for i in s)]
        equal(link_hash(pair, moved).hex(), pair["hash"])


@test
def next_window():
    """what is decided after the cut is in the next window, and not final"""
    m = world.market
    receipt = accepted(m.far_provider.send(batch([row(voucher(2), 1_500, 10_000, invoice(30, "37"))])), 1)
    item = items(m.far_provider, f"batch={receipt.answer.seq}", receipt.index + 1)[0]
    equal((item["window"], item["final"], item["link"]), (2, False, 3))
    receipt = accepted(m.provider.send(batch([row(voucher(2), 1_200, 10_000, invoice(30))])), 1)
    local = items(m.provider, f"batch={receipt.answer.seq}", receipt.index + 1)[0]
    equal((local["window"], local["final"], "link" in local), (2, False, False))
    equal({i["final"] for i in items(m.provider, "window=1&state=accepted")}, {True})
    accepted(world.far_operator.send(pb.WindowCut(window=2)))
    pair = final_window(world.far_operator, 2)["pairs"][0]
    equal((pair["first"], pair["last"], pair["count"], pair["total_fen"][0]), (3, 3, 1, 1_500))
    equal(items(m.far_provider, "window=2"), [{**item, "final": True}])


def check_certificate(text, directory):
    """Section 13, "To verify a certificate": its settlement, and who signed it; Invalid when it does not verify."""
    said = json.loads(text)
    value = bytes.fromhex(said["settlement"])
    settlement = sq.parse(pb.Settlement, value)
    wanted, last = settlement_hash(value), ""
    for vote in said["votes"]:
        envelope = sq.parse(pb.Envelope, bytes.fromhex(vote["envelope"]))
        header, body = sq.parse(pb.Header, envelope.header), sq.parse(pb.Vote, envelope.body)
        node = header.sender.removeprefix("node:")
        if node != vote["node"] or node <= last or header.type != pb.VOTE or header.network != int.from_bytes(directory.network_id[:8], "big"):
            raise sq.Invalid(f"vote of {node}")
        sq.check_signature(nacl.signing.VerifyKey(directory.nodes[node]["node_key"]),
                           sq.signed_bytes(directory.network_id, header.type, envelope.header, envelope.body), envelope.signature, node)
        if (body.window, body.round, body.step, body.value) != (settlement.window, said["round"], 2, wanted):
            raise sq.Invalid(f"{node} has voted for something else")
        last = node
    if len(said["votes"]) * 3 <= len(directory.nodes) * 2:
        raise sq.Invalid("not more than two thirds")
    return settlement, [v["node"] for v in said["votes"]]


@test
def certificate():
    """a certificate verifies from its text, the directory and the specification alone; a damaged one does not"""
    net, path = world.network, world.network.path("window1.json")
    ledger = ("settle", "certificate", "1", "--ledger", net.path("310000"), "--out", path)
    r = net.run(*ledger)
    equal((r.code, "--node-key" in r.err, os.path.exists(path)), (5, True, False))  # one signature of two
    net.must(*ledger, "--node-key", net.key("node:310000"))
    text = net.read("window1.json")
    settlement, signers = check_certificate(text, world.directory)
    equal((settlement.window, signers), (1, ["310000", "370000"]))
    equal(settlement_hash(settlement.SerializeToString()).hex(), json.loads(text)["settlement_hash"])
    verify = ("settle", "verify", path, "--directory", net.directory)
    equal(net.must(*verify, "--json").json["signers"], signers)
    good = json.loads(text)
    half = len(good["settlement"]) // 2
    other = [("settlement", good["settlement"][:half] + f"{int(good['settlement'][half], 16) ^ 1:x}" + good["settlement"][half + 1:]),
             ("round", good["round"] + 1), ("votes", good["votes"][:1]), ("votes", good["votes"][:1] * 2),
             ("votes", [good["votes"][0], {**good["votes"][1], "node": "440000"}]),
             ("votes", [good["votes"][0], {"node": "370000",
                                           "envelope": good["votes"][1]["envelope"][:-1] + ("1" if good["votes"][1]["envelope"][-1] == "0" else "0")}])]
    for name, value in other:
        bad = json.dumps({**good, name: value})
        with open(path, "w", encoding="utf-8") as f:
            f.write(bad)
        equal((name, net.run(*verify).code), (name, 4))
        try:
            check_certificate(bad, world.directory)
        except sq.Invalid:
            continue
        raise AssertionError(f"{name} is damaged, and it verifies")


if __name__ == "__main__":
    run(world)
