"""A client of a Sanquan node, written from proto/README.md and proto/sanquan.proto alone; § names the section carried out.

An example to start from, and the conformance test's own client. It uses Debian's python3-zmq, python3-nacl, python3-protobuf
and python3-yaml, and the module that protoc makes:

    protoc -Iproto --python_out=DIR sanquan.proto        # DIR/sanquan_pb2.py, on PYTHONPATH

    directory = Directory.read("directory.yaml")
    keys = Keys.read("provider.key")
    with Client("tcp://10.0.0.1:7300", directory, "310000", keys) as client:
        receipt = client.send(pb.Batch(...))             # returns what has been verified, or raises
        print(receipt.answer.status, list(receipt.answer.code), receipt.index, receipt.tree_size)

It sends one message at a time, which makes every rule of §7 a few lines; a client for many batches keeps up to 64 on the way.
"""
import base64
import hashlib
import re
import time
from dataclasses import dataclass

import nacl.exceptions
import nacl.public
import nacl.pwhash
import nacl.secret
import nacl.signing
import yaml
import zmq

import sanquan_pb2 as pb

TAG = b"sanquan/message/v1\0"
ED25519 = 1
BUSY = 109
SIZE_MAX = 1048576


class Invalid(Exception):
    """Something that was received does not verify. It must not be believed, and is worth keeping."""


class NoAnswer(Exception):
    """Nothing was heard in time. What was sent may have been decided: send the same bytes again."""


class Refused(Exception):
    """The node keeps nothing of the message, and its id is still free (§7)."""

    def __init__(self, refusal):
        super().__init__(f"{refusal.status}: {refusal.detail}")
        self.refusal = refusal


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def check_signature(key, message, signature, what):
    try:
        key.verify(message, signature)
    except (nacl.exceptions.CryptoError, ValueError) as e:
        raise Invalid(f"signature of {what} does not verify") from e


# ---- §9: cells and numbers ----

def voucher_number(issuer, programme, serial):
    return issuer * 10**13 + programme * 10**9 + serial


def invoice_cell(digits):
    """20 decimal digits as 10 bytes; no digits at all for rows that have no invoice."""
    return bytes.fromhex(f"{digits:0>20}")


def evidence_cell(record):
    return sha256(record)[:16]


# ---- §3: participants, keys, directory ----

class Keys:
    """A participant's name, message key (Ed25519) and transport key (Curve25519)."""

    def __init__(self, name, message_key, transport_key):
        self.name = name
        self.message_key = message_key
        self.transport_key = transport_key

    @classmethod
    def new(cls, name):
        return cls(name, nacl.signing.SigningKey.generate(), nacl.public.PrivateKey.generate())

    @classmethod
    def read(cls, path, passphrase=None):
        """A file of `sanquan keygen`, plain or sealed under a passphrase."""
        with open(path, encoding="utf-8") as f:
            lines = [line.rstrip("\n").split(": ", 1) for line in f]
        if lines[0] != ["sanquan-key", "v1"]:
            raise Invalid(f"{path} is not a key file")
        field = dict(lines[1:])
        if "sealed" in field:
            kdf = nacl.pwhash.argon2id
            key = kdf.kdf(32, passphrase, bytes.fromhex(field["salt"]), kdf.OPSLIMIT_MODERATE, kdf.MEMLIMIT_MODERATE)
            secret = nacl.secret.SecretBox(key).decrypt(bytes.fromhex(field["sealed"]), bytes.fromhex(field["nonce"]))
        else:
            secret = bytes.fromhex(field["secret"])
        keys = cls(field["name"], nacl.signing.SigningKey(secret[:32]), nacl.public.PrivateKey(secret[64:96]))
        if (keys.public, keys.transport_public) != (bytes.fromhex(field["public"]), bytes.fromhex(field["transport-public"])):
            raise Invalid(f"{path}: public and secret keys do not belong together")
        return keys

    @property
    def public(self):
        return bytes(self.message_key.verify_key)

    @property
    def transport_public(self):
        return bytes(self.transport_key.public_key)

    def party(self, node):
        """As an operator enrols it."""
        return pb.Party(name=self.name, key=self.public, transport_key=self.transport_public, node=node)


class Directory:
    def __init__(self, data):
        self.network_id = sha256(data)
        # Everything is text to this loader: no code becomes a number, no hexadecimal a float.
        content = yaml.load(data, Loader=yaml.BaseLoader)
        self.network = content["network"]
        keys = ("node_key", "log_key", "transport_key")
        self.nodes = {node["code"]: {name: bytes.fromhex(node[name]) for name in keys} for node in content["nodes"]}

    @classmethod
    def read(cls, path):
        with open(path, "rb") as f:
            return cls(f.read())


# ---- §5: envelope and signature ----

def signed_bytes(network_id, message_type, header, body):
    return b"".join((TAG, network_id, message_type.to_bytes(4, "big"), header, sha256(body)))


def message_name(network_id, frame):
    """By which receipts know a message that was sent: its signed bytes and its signature, hashed (§7)."""
    envelope = parse(pb.Envelope, frame)
    message_type = parse(pb.Header, envelope.header).type
    return sha256(signed_bytes(network_id, message_type, envelope.header, envelope.body), envelope.signature)


def seal(keys, network_id, message_type, receiver, message_id, body, sent_at_ms=None):
    """The frame to send. `body` is bytes: what libprotobuf writes for these messages is the canonical form (§6)."""
    header = pb.Header(version=1, type=message_type, algorithm=ED25519, sender=keys.name, receiver=receiver, id=message_id,
                       sent_at_ms=time.time_ns() // 10**6 if sent_at_ms is None else sent_at_ms,
                       network=int.from_bytes(network_id[:8], "big")).SerializeToString()
    signature = keys.message_key.sign(signed_bytes(network_id, message_type, header, body)).signature
    return pb.Envelope(header=header, body=body, signature=signature).SerializeToString()


def parse(message_class, data):
    """A message, if `data` is its canonical form."""
    try:
        message = message_class.FromString(data)
    except Exception as e:
        raise Invalid(f"not a {message_class.__name__}: {e}") from e
    if len(message.UnknownFields()) or message.SerializeToString() != data:
        raise Invalid(f"{message_class.__name__} is not in canonical form")
    return message


ANSWERS = {pb.HELLO_OK: pb.HelloOk, pb.RECEIPT: pb.Receipt, pb.REFUSAL: pb.Refusal, pb.QUERY_ANSWER: pb.QueryAnswer}


def open_envelope(frame, network_id, sender, sender_key, receiver):
    """The message in an answer, when it is from `sender`, for `receiver`, of this network, and signed."""
    envelope = parse(pb.Envelope, frame)
    header = parse(pb.Header, envelope.header)
    if (header.version, header.algorithm) != (1, ED25519) or header.type not in ANSWERS:
        raise Invalid(f"version {header.version}, algorithm {header.algorithm}, type {header.type}")
    if (header.sender, header.receiver) != (sender, receiver):
        raise Invalid(f"from {header.sender} for {header.receiver}")
    if header.network != int.from_bytes(network_id[:8], "big"):
        raise Invalid("of another network")
    check_signature(sender_key, signed_bytes(network_id, header.type, envelope.header, envelope.body), envelope.signature, sender)
    return parse(ANSWERS[header.type], envelope.body)


# ---- §11: receipts ----

def root_of_proof(leaf_hash, index, size, proof):
    """RFC 9162, section 2.1.3.2."""
    if index >= size:
        raise Invalid(f"leaf {index} in a tree of {size}")
    fn, sn, r = index, size - 1, leaf_hash
    for p in proof:
        if sn == 0:
            raise Invalid("inclusion proof is too long")
        if fn & 1 or fn == sn:
            r = sha256(b"\1", p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha256(b"\1", r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise Invalid("inclusion proof is too short")
    return r


def unbase64(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as e:
        raise Invalid(f"not base64: {text!r}") from e


def open_checkpoint(note, log_name, log_key):
    """(tree size, root) of a signed note, if the log has signed it."""
    text, _, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if len(lines) != 3 or lines[0] != log_name or not re.fullmatch("[1-9][0-9]*", lines[1]) or not signatures.endswith("\n"):
        raise Invalid(f"not a checkpoint of {log_name}")
    key_id = sha256(log_name.encode(), b"\n\1", bytes(log_key))[:4]
    for line in signatures[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        if dash == "\u2014" and name == log_name and (signature := unbase64(value))[:4] == key_id:
            check_signature(log_key, (text + "\n").encode(), signature[4:], "the checkpoint")
            return int(lines[1]), unbase64(lines[2])
    raise Invalid(f"{log_name} has not signed the checkpoint")


def check_inclusion(leaf, index, proof, checkpoint, log_name, log_key):
    """The size of the tree, when the leaf record is in it at `index`."""
    if len(leaf) != 56 or leaf[:2] != b"\1\0" or int.from_bytes(leaf[8:16], "big") != index + 1:
        raise Invalid(f"not the leaf record of index {index}")
    if len(proof) % 32 != 0:
        raise Invalid("an inclusion proof is 32 bytes a hash")
    size, root = open_checkpoint(checkpoint, log_name, log_key)
    if root_of_proof(sha256(b"\0", leaf), index, size, [proof[i:i + 32] for i in range(0, len(proof), 32)]) != root:
        raise Invalid(f"the leaf of index {index} is not in the tree")
    return size


@dataclass
class Receipt:
    """Every step of "To verify a receipt" was carried out."""
    answer: pb.Answer
    answer_bytes: bytes
    index: int            # of the leaf that decided it
    leaf: bytes
    tree_size: int
    rebuilt: bool         # the payload was made again from what was sent, and has the leaf's hash
    frame: bytes          # keep it: with a later checkpoint that lacks the leaf it convicts the node

    leaf_type = property(lambda self: int.from_bytes(self.leaf[2:4], "big"))
    decided_ms = property(lambda self: int.from_bytes(self.leaf[16:24], "big"))


def verify_receipt(receipt, request, request_type, request_id, log_name, log_key, frame=b""):
    """`receipt` is a pb.Receipt from an envelope that verified; `request` is the frame that it answers."""
    answer = parse(pb.Answer, receipt.answer)
    if answer.id != request_id:
        raise Invalid(f"an answer to {answer.id}, not to {request_id}")
    leaf = receipt.leaf
    tree_size = check_inclusion(leaf, receipt.index, receipt.proof, receipt.checkpoint, log_name, log_key)
    # Where the answer is all that came of the message, the entry can be made again from our own bytes.
    outcome = pb.Outcome(status=answer.status, code=answer.code, sent=sha256(receipt.answer)).SerializeToString()
    made = b"\1\0" + request_type.to_bytes(2, "big") + len(request).to_bytes(4, "big") + leaf[16:24] + request + outcome
    rebuilt = answer.seq == receipt.index + 1 and leaf[4:8] == len(made).to_bytes(4, "big") and leaf[24:] == sha256(made)
    return Receipt(answer, receipt.answer, receipt.index, leaf, tree_size, rebuilt, frame)


# ---- §4: transport; §7: ids ----

class Client:
    """A participant's connection to one node. Not for several threads."""

    def __init__(self, endpoint, directory, node, keys):
        self.endpoint, self.directory, self.keys = endpoint, directory, keys
        self.node = f"node:{node}"
        self.node_keys = directory.nodes[node]
        self.node_key = nacl.signing.VerifyKey(self.node_keys["node_key"])
        self.log_name = f"{directory.network}/{node}"
        self.log_key = nacl.signing.VerifyKey(self.node_keys["log_key"])
        self.socket = None
        self.nonce = 0
        self.next_id = None      # not known before Hello
        self.unanswered = None   # (id, type, frame): kept until its receipt is there
        self.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self):
        """Also again: libzmq gives a connection up for good after a refused handshake."""
        self.close()
        s = zmq.Context.instance().socket(zmq.DEALER)
        s.curve_serverkey = self.node_keys["transport_key"]
        s.curve_publickey = self.keys.transport_public
        s.curve_secretkey = bytes(self.keys.transport_key)
        s.linger, s.immediate = 0, 1
        s.reconnect_ivl, s.reconnect_ivl_max = 100, 5000
        s.heartbeat_ivl, s.heartbeat_timeout = 2000, 6000
        s.maxmsgsize = SIZE_MAX
        s.connect(self.endpoint)
        self.socket = s

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def put(self, frame, seconds=5):
        """Queue a frame as soon as the node is connected; what becomes of it only an answer tells."""
        if self.socket.poll(seconds * 1000, zmq.POLLOUT):
            self.socket.send(frame)
        else:
            self.connect()

    def get(self, seconds):
        """The next answer that is the node's, with its frame; (None, None) after so many seconds of silence."""
        until = time.monotonic() + seconds
        while self.socket.poll(max(0, (until - time.monotonic()) * 1000), zmq.POLLIN):
            frames = self.socket.recv_multipart()
            try:
                if len(frames) != 1:
                    raise Invalid("several frames")
                return open_envelope(frames[0], self.directory.network_id, self.node, self.node_key, self.keys.name), frames[0]
            except Invalid:
                continue         # not the node's word: drop it
        return None, None

    def make(self, body, message_type, message_id):
        return seal(self.keys, self.directory.network_id, message_type, self.node, message_id, body)

    def ask(self, message_type, body, answer_class, seconds):
        """Hello and Query have no id and change nothing: asked again until there is an answer."""
        self.nonce += 1
        body.nonce = self.nonce
        frame = self.make(body.SerializeToString(), message_type, 0)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.put(frame)
            answer, _ = self.get(min(left, 5))
            while answer is not None:
                if isinstance(answer, answer_class) and answer.nonce == self.nonce:
                    return answer
                if isinstance(answer, pb.Refusal) and answer.id == 0:
                    raise Refused(answer)
                answer, _ = self.get(min(left, 5))      # an answer to something before
        raise NoAnswer(f"{self.node} at {self.endpoint} said nothing in {seconds} s")

    def hello(self, seconds=30):
        answer = self.ask(pb.HELLO, pb.Hello(), pb.HelloOk, seconds)
        self.next_id = answer.last_id + 1
        return answer

    def query(self, path, seconds=30):
        """The QueryAnswer: `json` is an object when `status` is 0."""
        return self.ask(pb.QUERY, pb.Query(path=path), pb.QueryAnswer, seconds)

    def send(self, message, seconds=120):
        """Have the node decide a message under the next id. Returns its verified Receipt, also when a rule refused it
        (`answer.status`); raises Refused when the node did not take it, and the id with it."""
        if self.unanswered is not None:
            raise NoAnswer("the message before is not answered: resume() first")
        if self.next_id is None:
            self.hello()
        message_type = pb.MessageType.Value(re.sub("(?<=[a-z])(?=[A-Z])", "_", type(message).__name__).upper())
        self.unanswered = (self.next_id, message_type, self.make(message.SerializeToString(), message_type, self.next_id))
        return self.resume(seconds)

    def resume(self, seconds=120):
        """Send what is unanswered, the same bytes, until there is an answer. Nothing is done twice."""
        try:
            receipt = self.deliver(*self.unanswered, seconds)
            self.next_id = receipt.answer.id + 1
        except Refused:
            self.unanswered = None
            raise
        self.unanswered = None
        return receipt

    def deliver(self, message_id, message_type, frame, seconds=120):
        """Any message whose bytes were kept: its verified Receipt."""
        until = time.monotonic() + seconds
        silence = 1
        self.put(frame)
        while (left := until - time.monotonic()) > 0:
            answer, received = self.get(min(silence, left))
            if answer is None:
                # Ask whether anybody is there; when anything comes back, the message is sent again.
                silence = min(8, 2 * silence)
                self.put(self.make(pb.Hello().SerializeToString(), pb.HELLO, 0))      # nonce 0: not one of ask()'s
            elif isinstance(answer, pb.HelloOk):
                self.put(frame)
            elif isinstance(answer, pb.Receipt) and parse(pb.Answer, answer.answer).id == message_id:
                if answer.request != message_name(self.directory.network_id, frame):
                    raise Invalid(f"somebody else with this key used id {message_id}")
                return verify_receipt(answer, frame, message_type, message_id, self.log_name, self.log_key, received)
            elif isinstance(answer, pb.Refusal) and answer.id in (message_id, 0):   # 0: the envelope could not be read
                if answer.status != BUSY:     # what else passes with time, such as DISK_LOW, is for people to know
                    raise Refused(answer)
                time.sleep(answer.retry_after_ms / 1000)
                self.put(frame)
        raise NoAnswer(f"{self.node} did not answer message {message_id} in {seconds} s")
