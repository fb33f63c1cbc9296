"""A headless Chromium that a test looks at and clicks into, by its own DevTools protocol."""

import json
import shutil
import subprocess
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx
from waiting import until
from websocket import create_connection

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-proxy-server"),
    *("--window-size=1400,1000", "--remote-debugging-port=0", "--remote-allow-origins=*"),
)
# The middle of the last element that a person would call by that name, if nothing is before it.
FIND = """
(([kinds, name]) => {
    const called = (one) => (one.innerText || one.getAttribute("aria-label") || "").trim();
    const seen = [...document.querySelectorAll(kinds)].filter(
        (one) => one.getClientRects().length && !one.disabled && (!name || called(one) === name));
    if (!seen.length) return null;
    const one = seen.at(-1);
    one.scrollIntoView({block: "center"});
    const box = one.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    return one.contains(document.elementFromPoint(x, y)) ? [x, y] : null;
})
"""


@contextmanager
def browsing(folder):
    """Give a browser that ends afterwards."""
    browser = Browser(folder)
    try:
        yield browser
    finally:
        browser.close()


class Browser:
    """One page of one browser."""

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._numbers = count(1)
        told = Path(folder) / "DevToolsActivePort"
        until(lambda: told.exists() and told.read_text().count("\n"), 60, "Chromium's start")
        port = told.read_text().splitlines()[0]
        pages = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
        (page,) = [one for one in pages if one["type"] == "page"]
        self._socket = create_connection(page["webSocketDebuggerUrl"], timeout=60)

    def close(self):
        """End the browser."""
        self._process.terminate()
        self._process.wait(30)

    def open(self, address):
        """Go to a page."""
        self._ask("Page.navigate", url=address)

    def text(self):
        """Return what the page shows."""
        return self._evaluate("document.body ? document.body.innerText : ''")

    def wait_for(self, words):
        """Wait until the page shows some words."""
        until(lambda: words in self.text(), 60, f"{words!r} on the page")

    def sees(self, kinds, name=None):
        """Tell where the middle of an element is that can be used; None if there is none."""
        return self._evaluate(f"{FIND}({json.dumps([kinds, name])})")

    def click(self, kinds, name=None):
        """Click with the mouse on what matches a CSS selector and is called so, once it rests."""
        places = [None]

        def rests():
            places.append(self.sees(kinds, name))
            return places[-1] is not None and places[-1] == places[-2]

        until(rests, 60, f"{name or kinds} to click on")
        x, y = places[-1]
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def type(self, words):
        """Type into what was clicked on, and press Enter."""
        self._ask("Input.insertText", text=words)
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, **enter)

    def _evaluate(self, script):
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    def _ask(self, method, **params):
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv())).get("id") != number:
            pass  # an event
        assert "error" not in answer, answer
        return answer["result"]
