"""Debian's Chromium, headless, over its DevTools protocol: pages as people see them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import websocket

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)


def installed_chromium() -> str | None:
    """Where the browser is, if it is installed."""
    return shutil.which("chromium")


class Browser:
    """One tab. A context manager; `requests` are the addresses that pages asked for, `complaints` what they logged."""

    def __init__(self, program: str) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number = 0
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        address = ""
        for line in self._process.stderr:
            if b"DevTools listening on" in line:
                address = line.decode().split()[-1]
                break
        assert address, "the browser did not start"
        self._socket = websocket.create_connection(address, timeout=60)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def show(self, page: Path, *, width: int, dark: bool = False) -> None:
        """Open `page` in a window of `width` pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        self.prefer(dark=dark)
        self._call("Page.navigate", url=page.absolute().as_uri())
        self._until("Page.loadEventFired")

    def prefer(self, *, dark: bool) -> None:
        """Ask the page that is shown for its dark or its light colours."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def barriers(self) -> list[str]:
        """What axe finds wrong with the page for people who cannot see or point, of any severity."""
        self.run(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + ";0")
        return list(
            self.run(
                "axe.run({resultTypes: ['violations']}).then(found => found.violations.map("
                "each => `${each.impact} ${each.id}: ${each.nodes.map(node => node.html).join(' ')}`))"
            )
        )

    def printed(self) -> bytes:
        """The page on A4 paper, as PDF."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True, "printBackground": False}
        return base64.b64decode(self._call("Page.printToPDF", **paper)["data"])

    def press(self, key: str) -> None:
        """Press a key, as `KeyboardEvent.key` names it."""
        code = {"Tab": 9, "Enter": 13}[key]
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        typed = {"text": "\r"} if key == "Enter" else {}
        self._call("Input.dispatchKeyEvent", type="keyDown", **pressed, **typed)
        self._call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def write(self, text: str) -> None:
        """Type text where the focus is."""
        self._call("Input.insertText", text=text)

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(timeout=30)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._profile.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def _until(self, event: str) -> None:
        while self._receive().get("method") != event:
            pass

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv())
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown" | "Log.entryAdded":
                self.complaints.append(json.dumps(params))
        return message
