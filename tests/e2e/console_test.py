"""The web console as people and as enemies meet it: a real node, the real program, a real browser."""
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
import urllib.parse

import yaml

from browser import Browser
from network import BUILD, PATIENCE_S, Network, check, done, free_port, uscc

HERE = os.path.dirname(os.path.abspath(__file__))
CONSOLE = os.path.join(HERE, "..", "..", "ops", "console")
SH, SD = "310000", "370000"
PROVIDER, OTHER, HOLDER = uscc(31, 1), uscc(31, 3), uscc(31, 2)
SD_PROVIDER = uscc(37, 1)
HEADER = "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day"
MEMORY_MAX_KIB = 256 * 1024


class Console:
    def __init__(self, net, name="console", requests_a_minute=60000, more=""):
        self.net, self.name, self.tokens = net, name, {}
        lines = []
        for who, until in (("regulator:mof", None), (f"provider:{PROVIDER}", None), ("operator:310000/maker", "20200101")):
            made = subprocess.run([os.path.join(BUILD, "sanquan-console"), "--new-token"], stdout=subprocess.PIPE, text=True, check=True).stdout
            self.tokens[who.split(":")[0]] = re.search(r"token: (\w{64})", made)[1]
            lines.append(f'  - {{name: "{who}", participant: "{who}", sha256: {re.search("sha256: ([0-9a-f]{64})", made)[1]}' + (f", until: {until}}}" if until else "}"))
        tokens = net.write(f"{name}-tokens.yaml", "tokens:\n" + "\n".join(lines) + "\n")
        os.chmod(tokens, 0o600)
        config = net.write(f"{name}.yaml", f'node: "{SH}"\ndirectory: {net.directory}\nledger: {net.path(SH)}\nbind: "127.0.0.1:0"\ntokens: {tokens}\npages: {CONSOLE}/pages\n'
                           "chart_library: /usr/share/javascript/chart.js/chart.min.js\nsignature_library: /usr/share/nodejs/tweetnacl/nacl-fast.min.js\n"
                           f'access_log: {net.path(name + "-access.log")}\nconnect: "tcp://127.0.0.1:{net.ports[SH]}"\nkey: {net.key("regulator:mof")}\nrequests_a_minute: {requests_a_minute}\n{more}')
        with open(net.path(name + ".log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([os.path.join(BUILD, "sanquan-console"), "--config", config], stderr=log, env=net.environment())
        until = time.monotonic() + PATIENCE_S
        while "event=ready" not in net.read(name + ".log"):
            assert self.process.poll() is None and time.monotonic() < until, net.read(name + ".log")
            time.sleep(0.02)
        self.url = re.search(r"address=(\S+)", net.read(name + ".log"))[1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def ask(self, path, who=None, token=None, method="GET", source="127.0.0.1"):
        """Status and body, the path sent just as it is."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S, source_address=(source, 0))
        token = token or (self.tokens[who] if who else None)
        c.request(method, path, headers={"Authorization": "Bearer " + token} if token else {})
        r = c.getresponse()
        body = r.read()
        c.close()
        return r.status, body

    def json(self, path, who="regulator"):
        status, body = self.ask(path, who)
        assert status == 200, (path, status, body)
        return json.loads(body)

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])

    def end(self):
        self.process.terminate()
        return self.process.wait()


def business(net):
    """Shanghai's provider redeems at home and on Shandong's voucher, Shandong's on Shanghai's; two claims too many. Returns Shanghai's voucher."""
    net.enrol("provider", PROVIDER, SH), net.enrol("provider", OTHER, SH), net.enrol("provider", SD_PROVIDER, SD)
    vouchers = {}
    for node in (SH, SD):
        if node == SH:
            net.enrol("holder", HOLDER, node)
            holder = HOLDER
        else:
            holder = uscc(37, 2)
            net.enrol("holder", holder, node)
        net.programme(node, 1, node)
        vouchers[node] = net.grant(node, 1, holder, 100000, node)
        for provider in (PROVIDER, OTHER, SD_PROVIDER):
            net.mandate(holder, provider, vouchers[node], 50000, node)
    n = 0

    def submit(node, provider, rows):
        nonlocal n
        lines = []
        for voucher, yuan in rows:
            n += 1
            lines.append(f"{voucher},{yuan},1000,26{node[:2]}2{n:015d},1000,rent,2026-01-05")
        r = net.run("submit", net.write(f"{provider}.csv", "\n".join([HEADER, *lines]) + "\n"), "--receipts", "--json", node=node, key=net.key(f"provider:{provider}"))
        assert r.code in (0, 1), r

    submit(SH, PROVIDER, [(vouchers[SH], 100)] * 30 + [(vouchers[SD], 50)] * 3 + [(vouchers[SH], 900)] * 2)
    submit(SH, OTHER, [(vouchers[SH], 7)])
    submit(SD, SD_PROVIDER, [(vouchers[SH], 20)] * 4)
    net.must("window", "cut", "--wait", node=SH, key=net.operator(SH))
    return vouchers[SH]


def dictionaries():
    pages = {name: open(os.path.join(CONSOLE, "pages", name), encoding="utf-8").read() for name in os.listdir(os.path.join(CONSOLE, "pages"))}
    used = {k for text in pages.values() for k in re.findall(r'\bt\("([a-z0-9_]+)"', text) if not k.endswith("_")}
    outside = {k: re.findall(r'(?:src|href|from|import\()\s*=?\s*"(?:https?:)?//[^"]+', v) for k, v in pages.items()}
    check("no page names an address elsewhere", not any(outside.values()), outside)
    check("no page has a script or a style within", not re.search(r"<style|style=|<script>|\son\w+=", pages["index.html"]))
    return used


def http_rules(c):
    check("without a token nothing of the ledger's rows is told", all(c.ask(p)[0] == 401 for p in ("/api/session", "/api/history", "/api/live/status", "/api/entry/1", "/metrics")))
    check("a wrong token, an empty one and one that is over are refused", all(c.ask("/api/session", token=k)[0] == 401 for k in ("0" * 64, "x", c.tokens["operator"], "é".encode().decode("latin-1"))))
    own = c.json("/api/history?max=500", "provider")["items"]
    check("a provider sees its own rows and no others", len(own) == 35 and {i["provider"] for i in own} == {PROVIDER}, own[:2])
    refused = {p: c.ask(p, "provider")[0] for p in (f"/api/history?provider={OTHER}", "/api/live/windows", "/api/live/window/1", "/api/live/breaks", "/api/live/voucher/1", "/api/preview/1", "/api/entry/1")}
    check("and what is not its own is refused", set(refused.values()) == {403}, refused)
    tree = c.ask("/checkpoint")[1].decode().split("\n")
    size = int(tree[1])
    width = min(size, 255)
    check("the log is there for existing tools", len(c.ask(f"/tile/0/000.p/{width}")[1]) == 32 * width and len(c.ask(f"/tile/entries/000.p/{width}")[1]) == 58 * width)
    tricks = ("/../console.yaml", "/%2e%2e/console.yaml", "/pages/../index.html", "/..%2fconsole.yaml", "/tile/0/0", "/tile/0/x000/000", "/tile/0/000.p/0", "/tile/0/000.p/256", "/tile/0/000.p/01",
              "/tile/0/000/", "/tile/8/000", "/tile/-1/000", "/tile/entries/../../x", "/tile/entries/999", "/index.html/", "/index.html%00.js", "/index.html%00", "/login", "/app.js.map")
    got = {p: c.ask(p)[0] for p in tricks}
    check("no spelling of a path leads anywhere else", set(got.values()) == {404}, got)
    got = {p: c.ask(p, "regulator")[0] for p in ("/api/entry/0", "/api/entry/-1", "/api/entry/1x", "/api/entry/99999999999999999999", "/api/live/window/", "/api/live/window/1x", "/api/live/party/x", "/api/preview/0x1", "/api/preview/99")}
    check("nor does one of a number", set(got.values()) == {404}, got)
    check("a question that is wrong is answered with the reason", c.ask("/api/history?kind=9", "regulator")[0] == 400 and b"kind" in c.ask("/api/history?kind=9", "regulator")[1])
    check("nothing but reading is taken", all(c.ask("/api/session", "regulator", method=m)[0] == 405 for m in ("POST", "PUT", "DELETE")))
    with open(c.net.path(c.name + "-access.log"), encoding="utf-8") as f:
        log = f.read()
    check("what a token asked for is written down, and no token is", "provider:" + PROVIDER in log and '"status":403' in log and not any(k in log for k in c.tokens.values()))


def preview(c, net):
    told = {m["method"]: m for m in c.json("/api/preview/1")["methods"]}
    by_command = {m["method"]: m for m in net.must("settle", "preview", "1", "--json", node=SH, key=net.operator(SH)).json["methods"]}
    check("methods side by side are those of the command line", set(told) == set(by_command) == {"gross", "bilateral", "hub", "cycles"} and
          all(told[m][k] == by_command[m][k] for m in told for k in ("gross_fen", "cleared_fen", "money_fen", "payments")), (told, by_command))


def families(text):
    """Names of the samples of an exposition, histograms with their parts; and that each is announced before it is given."""
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    return {name + part for name, kind in kinds.items() for part in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}


def daemon_metrics(port):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    c.request("GET", "/metrics")
    r = c.getresponse()
    return r.status, r.read().decode()


def measured(net, port):
    until = time.monotonic() + PATIENCE_S
    while "sanquan_last_window_state" not in daemon_metrics(port)[1] and time.monotonic() < until:
        time.sleep(0.2)  # it is written once a second
    status, text = daemon_metrics(port)
    value = lambda name: float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)[1])
    check("the daemon serves its metrics on loopback where it is told to", status == 200 and value("sanquan_up") == 1 and value("sanquan_ledger_entries") > 10, text[:500])
    check("with times of decisions, commits and answers", all(value(f"sanquan_{w}_seconds_count") > 5 and value(f"sanquan_{w}_seconds_sum") > 0 and
          value(f'sanquan_{w}_seconds_bucket{{le="+Inf"}}') == value(f"sanquan_{w}_seconds_count") for w in ("decision", "commit", "answer")), text)
    buckets = [float(v) for v in re.findall(r'^sanquan_commit_seconds_bucket\{le="[^"]+"\} (\S+)$', text, re.M)]
    check("whose buckets only grow", len(buckets) == 12 and buckets == sorted(buckets), buckets)
    check("and says how the last window stands, and who has cosigned", len(re.findall(r'^sanquan_last_window_state\{state="\w+"\} 1$', text, re.M)) == 1 and value("sanquan_forks") == 0 and value("sanquan_witness_quorum") == 1, text)
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    c.request("GET", "/../../etc/passwd")
    check("and serves nothing else", c.getresponse().status == 404)
    net.write("open.yaml", net.read(f"{SH}.yaml").replace(f"metrics: \"127.0.0.1:{port}\"", f"metrics: \"0.0.0.0:{port}\""))
    bad = subprocess.run([os.path.join(BUILD, "sanquand"), "--check", "--config", net.path("open.yaml")], stderr=subprocess.PIPE, text=True)
    check("an address that others could reach is refused", bad.returncode == 2 and "loopback" in bad.stderr, bad.stderr)
    return text


def monitoring(c, of_daemon):
    status, text = c.ask("/metrics", "regulator")
    served = families(text.decode()) | families(of_daemon)
    folder = os.path.join(CONSOLE, "..", "monitoring")
    with open(os.path.join(folder, "alerts.yaml"), encoding="utf-8") as f:
        rules = [r for g in yaml.safe_load(f)["groups"] for r in g["rules"]]
    with open(os.path.join(folder, "dashboard.json"), encoding="utf-8") as f:
        panels = json.load(f)["panels"]
    asked = {name for e in [r["expr"] for r in rules] + [q["expr"] for p in panels for q in p["targets"]] for name in re.findall(r"sanquan_\w+", e)}
    check("every metric that an alert or the dashboard asks for is served", status == 200 and len(rules) > 5 and len(panels) > 9 and asked <= served, asked - served)
    results = set(re.findall(r'sanquan_console_requests_total\{result="(\w+)"', text.decode()))
    check("and every label", set(re.findall(r'result="(\w+)"', json.dumps([r["expr"] for r in rules]).replace("\\", ""))) <= results, results)


def tls(net):
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                           "-keyout", net.path("tls.key"), "-out", net.path("tls.crt")], stderr=subprocess.PIPE, text=True)
    assert made.returncode == 0, made.stderr
    c = Console(net, "tls-console", more=f"certificate: {net.path('tls.crt')}\ncertificate_key: {net.path('tls.key')}\n")
    trusted = ssl.create_default_context(cafile=net.path("tls.crt"))

    def ask(method, path, body=None, headers=None, context=trusted):
        h = http.client.HTTPSConnection("127.0.0.1", c.port, timeout=PATIENCE_S, context=context)
        h.request(method, path, body=body, headers=headers or {})
        r = h.getresponse()
        return r.status, r.getheader("Set-Cookie"), r.read()

    status, cookie, _ = ask("POST", "/login", "token=" + c.tokens["regulator"], {"Content-Type": "application/x-www-form-urlencoded"})
    check("over TLS, with the certificate that was given, one logs in, and the cookie never travels in the clear", status == 200 and "Secure" in cookie and "HttpOnly" in cookie and c.url.startswith("https://"), (status, cookie, c.url))
    check("and is answered", ask("GET", "/api/session", headers={"Cookie": cookie.split(";")[0]})[0] == 200)
    check("a wrong token is refused there too", ask("GET", "/api/session", headers={"Authorization": "Bearer " + "0" * 64})[0] == 401)
    try:
        ask("GET", "/", context=ssl.create_default_context())
        refused = False
    except ssl.SSLError:
        refused = True
    check("who does not trust the certificate gets no connection", refused)
    try:
        plain = c.ask("/api/session", "regulator")
    except (OSError, http.client.HTTPException):
        plain = None
    check("and plain HTTP gets nothing", plain is None or plain[0] >= 400, plain)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(net.path("tls.crt"))
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    check("TLS 1.2 or later is spoken", ask("GET", "/", context=old)[0] == 200)
    check("it ends when it is asked to", c.end() == 0)


def receipts(b, c, net):
    """The page where a receipt is pasted."""
    until = time.monotonic() + PATIENCE_S
    while net.status(SH)["witness"]["witnessed_size"] < 3 and time.monotonic() < until:
        time.sleep(0.1)
    proof = net.must("proof", "get", 3, node=SH, key=net.operator(SH)).out
    with open(net.path(f"{PROVIDER}.csv.receipts"), encoding="utf-8") as f:
        line = f.readline()

    def pasted(text, needed):
        b.go(c.url + "/#/overview", "overview")
        b.go(c.url + "/#/receipt", "receipt")
        b.script("document.getElementById('receipt-text').value = arguments[0]; document.getElementById('needed').value = arguments[1]", text, str(needed))
        b.click("#check-receipt")
        return verdict(b), b.text("#verdict")

    said, steps = pasted(proof, 1)
    check("a proof that is pasted is verified: inclusion, checkpoint, cosignature", said.startswith("Verified: entry 3 of test/310000") and "node 370000 has cosigned" in steps and "leads from the leaf to the checkpoint" in steps, steps)
    b.screenshot("receipt-en")
    said, steps = pasted(line, 0)
    check("and so is a receipt as a provider keeps it", said.startswith("Verified: entry") and "node:310000 has signed the receipt" in steps, (said, steps))
    lines = proof.splitlines(keepends=True)
    swap = lambda s, at: s[:at] + ("A" if s[at] != "A" else "B") + s[at + 1:]
    changed = lambda i, at: "".join(swap(l, at) if k == i % len(lines) else l for k, l in enumerate(lines))
    for what, text, needed, why in (("whose cosignature was changed", changed(-1, -20), 1, "the cosignature of node 370000 is wrong"), ("without it", "".join(lines[:-1]), 1, "0 other nodes have cosigned it"),
                                    ("whose record was changed", changed(1, 50), 1, "does not lead to the checkpoint"), ("of another place", proof.replace("index 2\n", "index 3\n"), 1, ""),
                                    ("with the log's signature changed", changed(-2, -20), 1, "signature of the checkpoint is wrong"), ("that is none", "hello", 0, "no receipt and no proof file"),
                                    ("of a receipt whose message was changed", line.replace('"envelope":"', '"envelope":"00', 1), 0, "NOT verified")):
        said, steps = pasted(text, needed)
        check(f"one {what} is not verified", said.startswith("NOT verified") and why in said, said)
    b.go(c.url + "/#/health", "health")
    check("the ledger's page shows its witnesses", "Witnessed up to entry" in b.text("main") and "370000" in b.text("main") and "continued" in b.text("main"), b.text("main"))


def yuan(fen):
    return f"{fen / 100:,.2f}"


def log_in(b, c, who):
    b.go(c.url + "/", "login")
    b.type("#token", c.tokens[who])
    b.click("form button")
    b.arrived("overview")


def ink(b):
    """How many charts there are, and whether each has drawn something."""
    return b.script("return [...document.querySelectorAll('canvas')].map(c => c.width > 0 && c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v > 0))")


TAMPER = """const real = window.fetch, change = new Function("o", arguments[0]);
window.fetch = async (...a) => {
    const r = await real(...a);
    if (!String(a[0]).includes("/api/history")) return r;
    const o = await r.json();
    change(o);
    return new Response(JSON.stringify(o), { status: 200 });
};"""


def verdict(b):
    b.wait("the verdict", lambda: b.text("#verdict-text"))
    return b.text("#verdict-text")


def people(c, net, voucher, used):
    with Browser() as b:
        b.size(1280, 1500)
        b.go(c.url + "/", "login")
        b.type("#token", "0" * 64)
        b.click("form button")
        b.wait("a refusal", lambda: "not known here" in b.text("[role=alert]"))
        check("a wrong token is refused in words, and one gets no further", b.script("return document.getElementById('main').dataset.page") == "login")
        keys = b.script("return import('/i18n.js').then(m => Object.fromEntries(Object.entries(m.texts).map(([k, v]) => [k, Object.keys(v)])))")
        check("both languages have every text, and every text that a page asks for", set(keys["en"]) == set(keys["zh"]) and used <= set(keys["en"]),
              (set(keys["en"]) ^ set(keys["zh"]), used - set(keys["en"])))
        log_in(b, c, "regulator")
        b.complaints()
        sums = c.json("/api/history?state=accepted&sums=1")["sums"]
        w = c.json("/api/live/window/1")
        check("the overview's charts are drawn", ink(b) == [True, True], ink(b))
        drawn = b.script("return Object.values(Chart.instances).map(c => c.data.datasets.map(d => d.data.reduce((a, v) => a + v, 0)))")
        check("amounts by kind over time add up to the ledger's", drawn[1][:3] == [v / 100 for v in sums["accepted_by_kind_fen"][:3]] and sums["accepted"]["amount_fen"] == sum(sums["accepted_by_kind_fen"]) and
              yuan(sums["accepted"]["amount_fen"]) in b.text("#accepted-total"), (drawn, sums))
        bars = b.script("const c = Object.values(Chart.instances)[0]; return c.data.labels.map((l, i) => [l, Math.round(c.data.datasets.reduce((a, d) => a + d.data[i], 0) * 100)])")
        nets = {n: sum(x["net_fen"] for x in w["nets"] if x["node"] == n) for n in (SH, SD)}
        check("net positions are those of the settlement", dict(bars) == nets and sum(nets.values()) == 0 and nets[SH] != 0, (bars, nets))
        check("flows between regions are those of the pairs", all(yuan(p["total_fen"][0]) in b.text("#flow") for p in w["pairs"] if p["debtor"] != p["creditor"]), b.text("#flow"))
        b.screenshot("overview-en")

        b.go(c.url + "/#/window/1", "window")
        page = b.text("main")
        check("a window shows statements, payments, methods and who signed", all(s in page for s in w["signers"]) and w["settlement_hash"] in page and "hub net (in force)" in page and
              all(yuan(p["amount_fen"]) in page for p in w["payments"]), page)
        b.screenshot("window-en")

        b.go(c.url + "/#/search", "search")
        b.script("document.getElementById('f-state').value = 'refused'")
        b.type("#f-voucher", voucher)
        b.click("form button")
        b.wait("the filtered page", lambda: "state=refused" in b.script("return location.hash") and "2 that match" in b.text("main"))
        address = b.script("return location.href")
        b.go(address, "search")
        check("filters live in the address and are there when it is opened again", b.script("return [document.getElementById('f-state').value, document.getElementById('f-voucher').value]") == ["refused", voucher] and
              b.text("main").count("SQ_R_RATE_EXCEEDED") == 2, b.text("main"))
        b.screenshot("search-en")
        b.go(c.url + "/#/search?max=25&order=oldest", "search")
        first = b.script("return document.querySelector('td a').hash")
        b.script("[...document.querySelectorAll('a.button')].find(a => a.textContent === 'Next page').click()")
        b.wait("the next page", lambda: "after=" in b.script("return location.hash") and b.script("return document.getElementById('main').dataset.page") == "search")
        every = c.json("/api/history?sums=1")["sums"]
        total = sum(every[s]["count"] for s in ("accepted", "refused", "waiting"))
        check("pages follow one another, and the sums stay those of all", f"{total - 25} rows on this page, of {total} that match" in b.text("main") and first != b.script("return document.querySelector('td a').hash"), b.text("main"))
        b.script("window.saved = []; const made = URL.createObjectURL; URL.createObjectURL = blob => { saved.push(blob); return made(blob); }")
        b.script("[...document.querySelectorAll('button')].find(x => x.textContent === 'Download CSV').click()")
        b.wait("the file", lambda: f"{total} rows written" in b.text("main"))
        csv = b.script("return saved[0].text()").strip().splitlines()
        check("the file holds all that match", len(csv) == total + 1 and "amount_fen" in csv[0], csv[:2])
        b.go(c.url + "/#/search?voucher=12", "search")
        check("what is not there is said in words", "Nothing matches" in b.text("main"))
        b.go(c.url + "/#/search?kind=99", "search")
        check("and so is a filter that is wrong", "kind=99" in b.text("[role=alert]"), b.text("main"))

        b.go(c.url + "/#/voucher", "voucher")
        b.type("#voucher", voucher)
        b.press("\ue007")
        b.wait("the voucher", lambda: f"Life of voucher {voucher}" in b.text("main"))
        spent = c.json(f"/api/live/voucher/{int(voucher)}")["spent_fen"]
        check("a voucher's life is read from grant to window, by keyboard", b.text("ol.life li").find("granted") > 0 and yuan(spent) == b.text("#voucher-accepted") and
              b.script("return document.querySelectorAll('ol.life li').length") == len(c.json(f"/api/history?voucher={voucher}&life=1&max=500")["items"]), b.text("main")[:500])
        b.screenshot("voucher-en")

        for who, row, last in (("accepted here", "state=accepted&creditor=310000&debtor=310000", False), ("refused", "state=refused", False), ("decided by another region", "debtor=370000", True)):
            b.go(f"{c.url}/#/search?{row}", "search")
            b.click("td a[href^='#/item']")
            b.arrived("item")
            b.click("#verify")
            said = verdict(b)
            steps = b.text("#verdict")
            check(f"a row that was {who} is verified in the browser", said == "Verified." and "payload are those shown" in steps and "the decision shown" in steps and "✗" not in steps, steps)
            bare = b.script("return [...document.querySelectorAll('tbody th')].map(e => e.textContent).filter(x => /_/.test(x))")
            check(f"every field of a row that was {who} has a name for people", bare == [], bare)
            if last:
                b.screenshot("item-en")
        for what, change, why in (("amount", "for (const i of o.items ?? []) i.amount_fen += 100", "does not say what is shown"),
                                  ("decision", "for (const i of o.items ?? []) { i.state = 'refused'; i.refusal = 140; }", "does not say what is shown"),
                                  ("proof", "for (const p of o.proofs ?? []) p.proof = '00' + p.proof.slice(2)", "does not lead to the checkpoint"),
                                  ("leaf", "for (const p of o.proofs ?? []) p.leaf = p.leaf.slice(0, -2) + (p.leaf.endsWith('00') ? '01' : '00')", "does not lead to the checkpoint"),
                                  ("checkpoint", "if (o.checkpoint) o.checkpoint = o.checkpoint.replace(/\\n(\\d+)\\n/, (_, n) => '\\n' + (Number(n) + 1) + '\\n')", "signature of the checkpoint is wrong")):
            b.go(f"{c.url}/#/search?state=accepted&debtor=310000&creditor=310000", "search")
            b.script(TAMPER, change)
            b.click("td a[href^='#/item']")
            b.arrived("item")
            b.click("#verify")
            said = verdict(b)
            check(f"an answer whose {what} was changed is not verified", said.startswith("NOT verified") and why in said, said)
        b.go(f"{c.url}/#/search?state=accepted&debtor=310000&creditor=310000", "search")
        b.click("td a[href^='#/item']")
        b.arrived("item")
        b.type("#log-key", "11" * 32)
        b.click("#verify")
        check("nor is one under another log key", "signature of the checkpoint is wrong" in verdict(b), b.text("#verdict"))

        receipts(b, c, net)
        for path, page, words in (("programmes/310000/1", "programmes", "Budget = available + reserved + spent"), ("programmes", "programmes", "370000/1"), ("breaks", "breaks", "both sides of every link say the same"), ("health", "health", "Newest checkpoint")):
            b.go(f"{c.url}/#/{path}", page)
            check(f"page {page} is there, and its charts", words in b.text("main") and all(ink(b)), b.text("main")[:300])
            b.screenshot(page + "-en")
        b.complaints()

        b.size(390, 844)
        for path in ("overview", "window/1", "search", f"voucher/{voucher}", "programmes", "receipt", "health"):
            b.go(f"{c.url}/#/{path}", path.split("/")[0])
            wide = b.script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            check(f"{path.split('/')[0]} fits a phone", wide[0] <= wide[1] <= 390, wide)
            unnamed = b.script("return [...document.querySelectorAll('input, select, textarea, canvas, table')].filter(e => !(e.labels?.length || e.getAttribute('aria-label') || e.caption)).length")
            check(f"{path.split('/')[0]} names every field, chart and table", unnamed == 0, unnamed)
        b.screenshot("phone-en")
        b.click("#language")
        b.arrived("health")
        check("the page changes its language when asked", "账本健康" in b.text("main") and b.script("return document.documentElement.lang") == "zh-CN", b.text("main"))
        b.go(c.url + "/#/search?state=refused", "search")
        check("and keeps it", "已拒绝" in b.text("main"))
        b.size(1280, 1500)
        b.go(c.url + "/#/overview", "overview")
        b.screenshot("overview-zh")
        said = [m for m in b.complaints() if "401" not in m]
        check("the browser has nothing to complain of, the content policy included", not said, said)
        b.click("#logout")
        b.arrived("login")
        check("who logs out is out", c.ask("/api/session")[0] == 401)


def narrow(c):
    with Browser("zh-CN") as b:
        b.size(1280, 1200)
        b.go(c.url + "/", "login")
        check("a Chinese browser is met in Chinese", "访问令牌" in b.text("main"), b.text("main"))
        log_in(b, c, "provider")
        check("a provider is told that it sees its own only", "您只能看到自己的明细" in b.text("main"))
        b.go(f"{c.url}/#/search?provider={OTHER}", "search")
        check("and is refused what is not its own", "您的令牌无权查看" in b.text("[role=alert]"), b.text("main"))
        b.go(c.url + "/#/search?state=accepted", "search")
        check("its own rows are there", PROVIDER in b.text("tbody") and OTHER not in b.text("tbody"))
        b.click("td a[href^='#/item']")
        b.arrived("item")
        b.click("#verify")
        check("its row is verified as far as it may see", "在您的权限内验证通过" in verdict(b), b.text("#verdict"))
        b.screenshot("provider-zh")


def abuse(c, net, voucher):
    node_before = net.status(SH)["seq"]
    sockets = []
    for i in range(1000):
        s = socket.socket()
        s.settimeout(5)
        try:
            s.connect(("127.0.0.1", c.port))
            s.sendall((b"GET / HTTP/1.1\r\nHost: x\r\n", b"G", b"POST /login HTTP/1.1\r\nContent-Length: 100000\r\n\r\ntoken=", b"")[i % 4])
        except OSError:
            pass
        sockets.append(s)
    status, _ = c.ask("/api/session", "regulator", source="127.0.0.2")
    check("while a thousand slow connections of one address stand, another address is served", status == 200, status)
    net.mandate(HOLDER, OTHER, voucher, 40000, SH)
    check("and the node does not notice: it takes work as before", net.status(SH)["seq"] > node_before)
    for s in sockets:
        s.close()
    for junk in (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(100)) + b"\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", bytes(range(256)) * 50,
                 b"GET /api/history?voucher=" + b"9" * 9000 + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + c.tokens["regulator"].encode() + b"\r\n\r\n",
                 b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + b"t" * 5000):
        with socket.create_connection(("127.0.0.1", c.port), timeout=PATIENCE_S) as s:
            try:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                answer = s.recv(4096)
            except OSError:
                answer = b""
        check("junk is refused: " + repr(junk[:24]), not answer or answer.split()[1] in (b"400", b"401", b"413", b"414", b"431", b"500"), answer[:100])
    check("wrong tokens, one after another, are all refused", {c.ask("/api/session", token=f"{i:064x}")[0] for i in range(200)} == {401})
    check("afterwards the console is up and answers", c.process.poll() is None and c.ask("/api/session", "regulator")[0] == 200)
    if BUILD.endswith("release"):  # a sanitizer's own memory is not the console's
        check("within 256 MiB", c.memory_kib() < MEMORY_MAX_KIB, c.memory_kib())


def rate(net):
    c = Console(net, "slow-console", requests_a_minute=5)
    got = [c.ask("/api/session", "regulator", source=f"127.0.1.{i + 1}")[0] for i in range(20)]
    check("a token that asks too often in a minute waits, from whatever address", got[:5] == [200] * 5 and 429 in got, got)
    check("a console ends when it is asked to", c.end() == 0)


used = dictionaries()
metrics_port = free_port()
with Network((SH, SD), directory=("--witness-ms", "300")) as net:
    net.write(f"{SH}.yaml", net.read(f"{SH}.yaml") + f'metrics: "127.0.0.1:{metrics_port}"\n')
    net.start_all()
    number = business(net)
    console = Console(net)
    try:
        http_rules(console)
        preview(console, net)
        monitoring(console, measured(net, metrics_port))
        tls(net)
        people(console, net, number, used)
        narrow(console)
        abuse(console, net, number)
        rate(net)
    finally:
        console.end()
done()
