"""A headless Chromium of Debian's, spoken to by its DevTools protocol over a pipe: no port, no
driver, no wheel that must fit the browser's version."""

import base64
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import threading

from waiting import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 30
# The program itself; Debian's wrapper around it looks for a desktop.
PROGRAMS = ("/usr/lib/chromium/chromium", shutil.which("chromium"))
FLAGS = ("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-extensions", "--disable-default-apps", "--no-proxy-server",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio", "--lang=en-GB",
         "--disable-features=Translate,OptimizationHints,MediaRouter")


def program():
    """Chromium, installed when it is missing (by root; else it says what to run)."""
    found = next((one for one in PROGRAMS if one and os.access(one, os.X_OK)), None)
    if found is None:
        subprocess.run([ROOT / "tools/setup", "--packages", pathlib.Path(__file__).parent /
                        "packages.txt"], check=True, stdin=subprocess.DEVNULL)
        found = next(one for one in PROGRAMS if one and os.access(one, os.X_OK))
    return found


class Browser:
    """One process; `tab()` gives pages that share nothing with each other."""

    def __init__(self, profile):
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # The browser reads descriptor 3 and writes 4; a shell places them there.
        script = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, "bash", program(), *FLAGS, f"--user-data-dir={profile}",
             "about:blank"], pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "TZ": "Europe/Berlin", "LANG": "C.UTF-8"})
        os.close(to_browser)
        os.close(from_browser)
        self._numbers = itertools.count(1)
        self._replies = {}
        self._heard = threading.Condition()
        self._gone = False
        self.tabs = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        rest = b""
        while chunk := os.read(self._in, 1 << 16):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in map(json.loads, messages):
                with self._heard:
                    if "id" in message:
                        self._replies[message["id"]] = message
                    elif message.get("sessionId") in self.tabs:
                        self.tabs[message["sessionId"]].take(message["method"], message["params"])
                    self._heard.notify_all()
        with self._heard:
            self._gone = True
            self._heard.notify_all()

    def call(self, method, session=None, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        with self._heard:
            came = self._heard.wait_for(lambda: number in self._replies or self._gone, PATIENCE_S)
            assert came and not self._gone, f"Chromium does not answer {method}"
            reply = self._replies.pop(number)
        assert "error" not in reply, f"{method}: {reply['error']}"
        return reply["result"]

    def tab(self, **options):
        return Tab(self, **options)

    def close(self):
        try:
            self.call("Browser.close")
            self._process.wait(PATIENCE_S)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._out)


class Tab:
    """A page in a context of its own: what was asked for, and what went wrong, is kept."""

    def __init__(self, browser, width=1280, height=900, dark=False):
        self._browser = browser
        self.requests = []  # (URL, headers)
        self.faults = []    # exceptions, console errors, and breaches of the page's policy
        self._context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank",
                              browserContextId=self._context)["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target,
                                     flatten=True)["sessionId"]
        browser.tabs[self._session] = self
        for domain in ("Page", "Runtime", "Network", "Log", "Audits"):
            self.call(f"{domain}.enable")
        self.resize(width, height)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])

    def call(self, method, **parameters):
        return self._browser.call(method, session=self._session, **parameters)

    def take(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append((params["request"]["url"], params["request"]["headers"]))
        elif method == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params["exceptionDetails"])[:600])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.faults.append(json.dumps(params["args"])[:600])
        elif method == "Audits.issueAdded" and params["issue"]["code"] != "PerformanceIssue":
            self.faults.append(json.dumps(params["issue"])[:600])
        elif method == "Log.entryAdded" and params["entry"]["source"] in ("security", "javascript"):
            self.faults.append(params["entry"]["text"])

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)

    def goto(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def wait(self, condition, patience_s=PATIENCE_S):
        """Until the expression is true in the page; gives its value."""
        return wait_for(f"{condition} in the page", lambda: self.evaluate(condition), patience_s)

    def text(self, selector):
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def rows(self, selector):
        """Cells of a table's body, as a reader sees them."""
        rows = json.dumps(f"{selector} tbody tr")
        return self.evaluate(f"""[...document.querySelectorAll({rows})]
            .map(row => [...row.cells].map(cell => cell.innerText.trim()))""")

    def type(self, selector, text):
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def press(self, key, code=None, number=0):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key,
                      windowsVirtualKeyCode=number, **({"text": "\r"} if key == "Enter" else {}))

    def screenshot(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip={
            **self.evaluate("""({x: 0, y: 0, width: innerWidth,
                height: document.documentElement.scrollHeight, scale: 1})""")})
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        del self._browser.tabs[self._session]
        self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)
