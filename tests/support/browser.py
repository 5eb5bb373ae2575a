"""A real browser without a window: Chromium from Debian's packages, unpacked, not installed.

It is steered by the protocol of its own developer tools, through a pipe: no port is opened, and it
may run in another network than the test.
"""

import base64
import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bed import debian
from support.manifests import Json

_PACKAGES = ("chromium-headless-shell",)
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_START_SECONDS = 60
_STOP_SECONDS = 20
_STEP_SECONDS = 0.02

# The browser reads what it is to do at 3, and answers at 4.
_PIPED = 'exec "$@" 3<&{0} 4>&{1}'

_KEYS = {"Enter": "\r"}
"""Keys that are a character as well."""


# The contrast between what is drawn and the page behind it, as WCAG reckons it.
_CONTRAST = """
(wanted => {
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(each => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  return wanted.map(([selector, property]) => {
    const ink = luminance(getComputedStyle(document.querySelector(selector))[property]);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  });
})
"""


class BrowserError(Exception):
    """The browser refused, or a script in it failed."""


class Page:
    """One tab, with one page in it."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> Json:
        return self._browser.call(method, parameters, self._session)

    def look_like(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """A window of this size, for a person who prefers light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,  # as a phone's browser lays out
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Returns when it is there, with its scripts run."""
        failure = self.call("Page.navigate", url=url).get("errorText")
        if failure:
            raise BrowserError(f"{url}: {failure}")
        self.until("document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """The value of a script's last expression; of a promise, what it comes to."""
        told = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in told:
            raise BrowserError(json.dumps(told["exceptionDetails"], indent=2))
        return told["result"].get("value")

    def until(self, script: str, seconds: float = 20) -> None:
        """Returns once a script's value is true; the test fails where it does not become so."""
        __tracebackhide__ = True
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"Promise.resolve({script}).then(Boolean)"):
            shown = self.evaluate("document.body.innerText.slice(0, 2000)")
            assert time.monotonic() < deadline, f"not within {seconds} s: {script}\n{shown}"
            time.sleep(_STEP_SECONDS)

    def least_contrast(self, colour: str, *selectors: str) -> float:
        """Of the first element of each, the least contrast that this property of it has."""
        wanted = json.dumps([[selector, colour] for selector in selectors])
        return float(min(self.evaluate(f"{_CONTRAST}({wanted})")))

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(
            self.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    def press(self, key: str) -> None:
        """Presses a key, as a person does."""
        text = _KEYS.get(key, key if len(key) == 1 else "")
        down: Json = {"key": key, "text": text} if text else {"key": key}
        if key == "Enter":
            down["windowsVirtualKeyCode"] = 13
        self.call("Input.dispatchKeyEvent", type="keyDown", **down)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def close(self) -> None:
        self.call("Page.close")

    def picture(self) -> bytes:
        """What is seen of it now, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


class Browser:
    """A running browser."""

    def __init__(self, orders: IO[bytes], answers: IO[bytes]) -> None:
        self._orders = orders
        self._answers = answers
        self._ids = itertools.count(1)
        self.complaints: list[str] = []
        """What pages have written to their consoles as errors, and scripts that failed."""

    def page(self) -> Page:
        """A new tab."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        page = Page(self, attached["sessionId"])
        for domain in ("Log", "Page", "Runtime"):
            page.call(f"{domain}.enable")
        return page

    def call(self, method: str, parameters: Json, session: str | None = None) -> Json:
        """What the browser answers to one order."""
        order: Json = {"id": next(self._ids), "method": method, "params": parameters}
        if session:
            order["sessionId"] = session
        self._orders.write(json.dumps(order).encode() + b"\0")
        self._orders.flush()
        while (message := self._message()).get("id") != order["id"]:
            self._note(message)
        if "error" in message:
            raise BrowserError(f"{method}: {message['error']['message']}")
        found: Json = message["result"]
        return found

    def _message(self) -> Json:
        text = b""
        while not text.endswith(b"\0"):
            some = self._answers.read(1)
            if not some:
                raise BrowserError("the browser has ended")
            text += some
        found: Json = json.loads(text[:-1])
        return found

    def _note(self, event: Json) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(parameters["exceptionDetails"]))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.complaints.append(json.dumps(parameters["entry"]))


@contextmanager
def browsing(
    folder: Path,
    inside: Callable[[Sequence[str]], list[str]] = list,
) -> Iterator[Browser]:
    """A browser, for as long as the block lasts; `inside` has it run elsewhere."""
    root = debian.unpacked(_PACKAGES)
    libraries = (root / _LIBRARIES, root / _LIBRARIES / "pulseaudio")
    read_orders, orders = os.pipe()
    answers, write_answers = os.pipe()
    command = [
        str(root / "usr/lib/chromium/chromium-headless-shell"),
        "--no-sandbox",  # root has none, and the pages are our own
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        f"--user-data-dir={folder / 'profile'}",
        "--remote-debugging-pipe",
    ]
    piped = ["bash", "-c", _PIPED.format(read_orders, write_answers), "bash", *command]
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            inside(piped),
            env={**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))},
            pass_fds=(read_orders, write_answers),
            stdout=log,
            stderr=log,
        )
    os.close(read_orders)
    os.close(write_answers)
    try:
        with os.fdopen(orders, "wb") as told, os.fdopen(answers, "rb") as heard:
            yield Browser(told, heard)
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)
