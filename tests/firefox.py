"""A Firefox of the machine, driven by WebDriver BiDi, which it speaks by itself: no driver, no build of its own.

Playwright's Firefox is a patched one; here it is the reader's. All of the network but this machine is cut off.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import websocket

PROGRAMS = ("firefox-esr", "firefox")
KEYS = {"Tab": "\ue004", "Enter": "\ue006", "Escape": "\ue00c", "Space": " ", "End": "\ue010", "Home": "\ue011"}
KEYS |= {"ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Control": "\ue009"}
NOWHERE = {f"network.proxy.{kind}": "127.0.0.1" for kind in ("http", "ssl")}
NOWHERE |= {f"network.proxy.{kind}_port": 9 for kind in ("http", "ssl")} | {"network.proxy.type": 1}
QUIET = {"app.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False}
QUIET |= {"browser.aboutwelcome.enabled": False, "network.captive-portal-service.enabled": False}


def program() -> str | None:
    """The path of a Firefox, or None."""
    return os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, PROGRAMS)), None)


# What a page says of requests that end because it is left, such as those for the excerpts of a search.
GIVEN_UP = ("AbortError: The operation was aborted", "TypeError: NetworkError when attempting to fetch resource")


class Firefox:
    """One window.

    Parameters
    ----------
    folder : Path
        Of its profile.
    prefs : dict, optional
        Settings of about:config.
    """

    def __init__(self, folder: Path, prefs: dict | None = None):
        settings = NOWHERE | QUIET | (prefs or {})
        lines = [f'user_pref("{name}", {json.dumps(value)});\n' for name, value in settings.items()]
        (folder / "user.js").write_text("".join(lines), encoding="utf-8")
        command = [program(), "--headless", "--remote-debugging-port", "0", "--profile", str(folder)]
        given = {**os.environ, "MOZ_CRASHREPORTER_DISABLE": "1", "HOME": str(folder)}
        self.log = folder / "log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([*command, "about:blank"], stdout=log, stderr=log, env=given)
        self.numbers, self.errors = itertools.count(1), []
        self.socket = websocket.create_connection(self._address() + "/session", timeout=60, suppress_origin=True)
        self.ask("session.new", capabilities={"alwaysMatch": {"unhandledPromptBehavior": {"default": "accept"}}})
        self.ask("session.subscribe", events=["log.entryAdded"])
        self.window = self.ask("browsingContext.create", type="tab")["context"]  # the first one has no focus
        self.ask("browsingContext.activate", context=self.window)
        self.resize(1280, 800)

    def _address(self) -> str:
        for _ in range(600):
            if found := re.search(r"ws://[\d.:]+", self.log.read_text(errors="replace")):
                return found[0]
            time.sleep(0.1)
        raise TimeoutError(f"Firefox has not started: {self.log.read_text(errors='replace')[-500:]}")

    def ask(self, method: str, **params) -> dict:
        """The answer to a command; errors that pages log meanwhile are kept."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self.socket.recv())).get("id") != number:
            entry = answer.get("params", {})
            if answer.get("method") == "log.entryAdded" and entry.get("level") == "error":
                self.errors.append(entry.get("text", ""))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    def resize(self, width: int, height: int) -> None:
        self.ask("browsingContext.setViewport", context=self.window, viewport={"width": width, "height": height})

    def goto(self, url: str) -> None:
        self.evaluate("() => document.fonts.ready.then(() => true)")  # a font given up halfway would be an error
        known = len(self.errors)
        self.ask("browsingContext.navigate", context=self.window, url=url, wait="complete")
        self.errors[known:] = [text for text in self.errors[known:] if not text.startswith(GIVEN_UP)]

    def evaluate(self, function: str, *arguments, frame: str = "") -> Any:
        """What a function of the page, or of a frame in it, returns, by way of JSON; promises are awaited."""
        given = ", ".join(json.dumps(value) for value in arguments)
        text = f"(async () => JSON.stringify(await ({function})({given}) ?? null))()"
        target = {"context": frame or self.window}
        answer = self.ask("script.evaluate", expression=text, target=target, awaitPromise=True)
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def frame(self) -> str:
        """The first frame of the page."""
        return self.ask("browsingContext.getTree", root=self.window)["contexts"][0]["children"][0]["context"]

    def wait_for(self, function: str, *arguments, seconds: float = 30, frame: str = "") -> Any:
        """The first value of a function that is not empty."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(function, *arguments, frame=frame)):
            if time.monotonic() > end:
                raise TimeoutError(f"still empty after {seconds} s: {function}")
            time.sleep(0.05)
        return value

    def press(self, *names: str) -> None:
        """Press keys together."""
        keys = [KEYS.get(name, name) for name in names]
        actions = [{"type": "keyDown", "value": key} for key in keys]
        actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        source = {"type": "key", "id": "keys", "actions": actions}
        self.ask("input.performActions", context=self.window, actions=[source])

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
