"""The command line against a node that takes its time: one in Python that keeps to proto/README.md and answers late.

It answers questions one after another, each 3 s after it began with it, as a node that looks through a long history does."""
import threading

import zmq
from talk import Network, check, connect, done, pb, sq

LATE_S = 3


class LateNode:
    """Hello is answered at once, and any Query with `json`."""

    def __init__(self, network, json):
        self.directory = sq.Directory.read(network.directory)
        self.keys = sq.Keys.read(network.key("node:310000"))
        self.json, self.ended = json, threading.Event()
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.curve_server = True
        self.socket.curve_secretkey = bytes(self.keys.transport_key)
        self.socket.bind(f"tcp://127.0.0.1:{network.ports['310000']}")
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def end(self):
        self.ended.set()
        self.thread.join()
        self.socket.close()

    def run(self):
        while not self.ended.is_set():
            if not self.socket.poll(50):
                continue
            connection, frame = self.socket.recv_multipart()
            envelope = sq.parse(pb.Envelope, frame)
            header = sq.parse(pb.Header, envelope.header)
            if header.type == pb.HELLO:
                answer, number = pb.HelloOk(nonce=sq.parse(pb.Hello, envelope.body).nonce), pb.HELLO_OK
            else:
                self.ended.wait(LATE_S)
                answer, number = pb.QueryAnswer(nonce=sq.parse(pb.Query, envelope.body).nonce, json=self.json), pb.QUERY_ANSWER
            body = answer.SerializeToString()
            self.socket.send_multipart([connection, sq.seal(self.keys, self.directory.network_id, number, header.sender, 0, body)])


with Network(("310000",)) as net:
    net.start_all()
    with connect(net, "operator:310000/maker") as client:
        status = client.query("status").json
    net.stop("310000")
    late = LateNode(net, status)
    try:
        said = net.run("status", "--json", "--timeout", "20", node="310000", key=net.operator("310000"))
    finally:
        late.end()
    check("an answer that comes after the client has asked again is heard", said.code == 0 and said.json["node"] == "310000", said)
done()
