"""Headless Chromium, spoken to in the W3C WebDriver protocol over HTTP: as much of it as the console's tests need."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from network import PATIENCE_S, free_port

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-dev-shm-usage")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    def __init__(self, language="en-US"):
        self.profile = tempfile.mkdtemp(prefix="sanquan-browser.")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.url.rsplit(':', 1)[1]}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait("the driver", lambda: self._is_up())
        options = {"args": [*FLAGS, f"--user-data-dir={self.profile}", f"--lang={language}"], "prefs": {"intl.accept_languages": language}}
        self.session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._call("DELETE", f"/session/{self.session}")
        finally:
            self.driver.terminate()
            self.driver.wait()
            shutil.rmtree(self.profile, ignore_errors=True)

    def _is_up(self):
        try:
            return self._call("GET", "/status")["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=2 * PATIENCE_S) as r:
                return json.load(r)["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{path}: {e.read().decode()[:600]}") from e

    def _do(self, path, body=None, method="POST"):
        return self._call(method, f"/session/{self.session}{path}", ({} if body is None else body) if method == "POST" else None)

    def wait(self, what, good):
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found = good()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"waited in vain for {what}")

    # -- what a person does --

    def go(self, url, page):
        """Open an address, and wait for its page."""
        self._do("/url", {"url": "about:blank"})
        self._do("/url", {"url": url})
        self.wait(f"{url} ({page}): {self.text()[:300]}", lambda: self.script("return document.getElementById('main')?.dataset.page") == page)

    def arrived(self, page):
        self.wait(f"page {page}", lambda: self.script("return document.getElementById('main')?.dataset.page") == page)

    def find(self, css):
        return self._do("/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self._do(f"/element/{self.find(css)}/click")

    def type(self, css, text):
        self._do(f"/element/{self.find(css)}/clear")
        self._do(f"/element/{self.find(css)}/value", {"text": text})

    def press(self, keys):
        self._do("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [a for k in keys for a in ({"type": "keyDown", "value": k}, {"type": "keyUp", "value": k})]}]})

    def text(self, css="body"):
        return self.script("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def script(self, code, *arguments):
        return self._do("/execute/sync", {"script": code, "args": list(arguments)})

    def size(self, width, height):
        self._do("/window/rect", {"width": width, "height": height})

    def complaints(self):
        """What the console of the browser says of the page: violations of the content policy among it."""
        return [e["message"] for e in self._do("/se/log", {"type": "browser"}) if e["level"] == "SEVERE"]

    def screenshot(self, name):
        folder = os.path.join(os.environ["BUILD"], "..", "tests", "screenshots")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name + ".png"), "wb") as f:
            f.write(base64.b64decode(self._do("/screenshot", method="GET")))
