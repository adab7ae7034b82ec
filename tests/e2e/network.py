"""A network of real nodes on loopback for end-to-end tests, made and spoken to with the command line alone.

    with Network(("310000", "440000")) as net:
        net.start_all()
        net.sanquan("status", key=net.operator("310000"), node="310000")

and TAP: check(name, good, why), done().
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["BUILD"]
SANQUAN = os.path.join(BUILD, "sanquan")
SANQUAND = os.path.join(BUILD, "sanquand")
PATIENCE_S = 60  # for whatever must happen some time; no test measures time

_count = 0
_failed = False


def check(name, good, why=""):
    global _count, _failed
    _count += 1
    print(f"{'ok' if good else 'not ok'} {_count} - {name}", flush=True)
    if not good:
        _failed = True
        print("# " + str(why).strip().replace("\n", "\n# "), flush=True)
    return good


def done():
    print(f"1..{_count}")
    sys.exit(_failed)


def patiently(what, patience_s=PATIENCE_S):
    """What it gives as soon as it gives something; None when it never does."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        good = what()
        if good:
            return good
        time.sleep(0.05)
    return None


# ---- organisations ----

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def uscc(province, n):
    """A valid code of no real company (GB 32100)."""
    body = f"91{province:02d}0199T{n:08d}"
    return body + _ALPHABET[(31 - sum(_ALPHABET.index(c) * w for c, w in zip(body, _WEIGHTS)) % 31) % 31]


_ports = random.sample(range(16384, 32768), 4096)


def free_port():
    """One that nobody has and nobody is given: below the range from which the kernel takes the near end of outgoing connections (a peer
    that dials a node which is not up yet could otherwise get just that node's port), and no number twice."""
    while True:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port = _ports.pop()
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Result:
    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit {self.code}\n{self.out}{self.err}"


class Network:
    def __init__(self, codes, hosts=(), more_config="", directory=()):
        self.codes, self.more_config = codes, more_config
        self.dir = tempfile.mkdtemp(prefix="sanquan-test.")
        self.ports = {code: free_port() for code in codes}
        self.processes = {}
        names = ["regulator:mof"] + [f"issuer:{issuer}" for issuer, _ in hosts]
        for code in codes:
            names += [f"node:{code}", f"issuer:{code}", f"operator:{code}/maker", f"operator:{code}/checker"]
        keys = [self.keygen(name) for name in names]
        made = self.run("directory", "new", "--network", "test", *[f"--host={i}={n}" for i, n in hosts], *directory, *keys)
        assert made.code == 0, made
        self.directory = self.write("directory.yaml", made.out)
        for code in codes:
            self._configure(code)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for code in list(self.processes):
            self.stop(code, signal.SIGKILL)
        shutil.rmtree(self.dir)

    # -- files --

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def key(self, name):
        return self.path(name.replace(":", "-").replace("/", "-") + ".key")

    def operator(self, code, who="maker"):
        return self.key(f"operator:{code}/{who}")

    def keygen(self, name):
        made = self.run("keygen", name, "--out", self.key(name))
        assert made.code == 0, made
        return self.key(name)

    def _configure(self, code):
        peers = "".join(f'  - {{code: "{c}", endpoint: "tcp://127.0.0.1:{self.ports[c]}"}}\n' for c in self.codes if c != code)
        self.write(f"{code}.yaml", f'node: "{code}"\ndirectory: {self.directory}\nkeys: {self.key("node:" + code)}\n'
                   f'ledger: {self.path(code)}\nbind: tcp://127.0.0.1:{self.ports[code]}\n' + (f"peers:\n{peers}" if peers else "") + self.more_config)
        made = self.run("init", "--config", self.path(f"{code}.yaml"))
        assert made.code == 0, made

    # -- the command line --

    def environment(self, node=None, key=None):
        e = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        e.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        if node is not None:
            e.update(SANQUAN_DIRECTORY=self.directory, SANQUAN_NODE=node, SANQUAN_CONNECT=f"127.0.0.1:{self.ports[node]}")
        if key is not None:
            e["SANQUAN_KEY"] = key
        return e

    def run(self, *arguments, node=None, key=None, text=None):
        return Result(subprocess.run([SANQUAN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, input=text,
                                     env=self.environment(node, key)))

    def must(self, *arguments, **how):
        r = self.run(*arguments, **how)
        assert r.code == 0, f"{arguments}: {r}"
        return r

    def begin(self, *arguments, node=None, key=None):
        """The same, running on beside the test."""
        return subprocess.Popen([SANQUAN, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                env=self.environment(node, key))

    # -- nodes --

    def start(self, code):
        with open(self.path(f"{code}.log"), "a", encoding="utf-8") as log:
            self.processes[code] = subprocess.Popen([SANQUAND, "--config", self.path(f"{code}.yaml")], stderr=log)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.processes[code].poll() is None:
            if self.run("status", "--json", "--timeout", "1", node=code, key=self.operator(code)).code == 0:
                return
        raise AssertionError(f"node {code} does not start:\n" + self.read(f"{code}.log"))

    def start_all(self):
        for code in self.codes:
            self.start(code)

    def stop(self, code, how=signal.SIGTERM):
        process = self.processes.pop(code)
        process.send_signal(how)
        process.wait()

    # -- the usual set-up --

    def programme(self, issuer, number, node, pool="1亿"):
        """Rate 30 %, kind compute, all of 2025 to 2030."""
        path = self.write(f"{issuer}-{number}.yaml", f'issuer: "{issuer}"\nnumber: {number}\nversion: 1\nkind: compute\ntitle: 算力券\nfrom: 2025-01-01\n'
                          f'until: 2030-12-31\nrate: 30%\nbase: paid\npool: {pool}\n')
        self.must("programme", "publish", path, node=node, key=self.key(f"issuer:{issuer}"))

    def enrol(self, role, code, node):
        """Keys and enrolment of one organisation; returns its key file."""
        key = self.keygen(f"{role}:{code}")
        self.must(role, "enrol", key, node=node, key=self.operator(node))
        return key

    def grant(self, issuer, number, holder, yuan, node):
        """One voucher; returns its number."""
        path = self.write(f"grant-{holder}-{time.monotonic_ns()}.csv", f"holder,face_yuan,until_day\n{holder},{yuan},2030-12-31\n")
        out = self.must("grant", path, "--programme", f"{issuer}/{number}", "--json", node=node, key=self.key(f"issuer:{issuer}"))
        return out.json["vouchers"][0]["voucher"]

    def mandate(self, holder, provider, voucher, yuan, node):
        path = self.write("mandate.csv", f"voucher,provider,limit_yuan,until\n{voucher},{provider},{yuan},2030-12-31\n")
        self.must("mandate", path, node=node, key=self.key(f"holder:{holder}"))

    def status(self, node):
        return self.must("status", "--json", node=node, key=self.operator(node)).json
