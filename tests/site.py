"""The whole application as a user starts it: `manage.py serve` in a process of its own, and a client for its API."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from tests.services import site_services

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """Started by `start`, stopped by `stop` as Ctrl-C would."""

    def __init__(self, data: Path, *, prepared: Path | None = None, **env: str) -> None:
        if prepared is not None:  # the dear parts of a first start, done once a run and not once a site
            shutil.copytree(prepared, data)
        self.data, self.port = data, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.env = {
            **os.environ,
            "POETSWEB_DATA": str(data),
            "PORT": str(self.port),
            "POETSWEB_BACKBONE": "testing",
            "WEB_WORKERS": "2",
            "EMBED_WORKERS": "2",
            "EMBED_EARLY": "false",  # most tests look at what is computed, and when
            **site_services(),
            **env,
        }
        self.log = data.parent / f"{data.name}.log"
        self.command = [sys.executable, "manage.py", "serve"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Site":
        said = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait(lambda: self._alive() and b" is running on " in self.log.read_bytes()[said:], START_SECONDS)
        return self

    def _alive(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"The site ended:\n{self.log.read_text()[-4000:]}")
        return True

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(40)

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command in this site's environment."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=check, timeout=120)

    def wait(self, done: Any, seconds: float = 60, every: float = 0.1) -> Any:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if result := done():
                return result
            time.sleep(every)
        raise AssertionError(f"Nothing came within {seconds} s. The site's last lines:\n{self.log.read_text()[-4000:]}")

    def client(self, username: str) -> "Client":
        """Return an API client of a user, who is created if missing."""
        key = self.manage("create_api_key", username, "--create-user").stdout.strip()
        return Client(self, key)


class Client:
    def __init__(self, site: Site, key: str) -> None:
        self.site, self.key = site, key

    def ask(self, method: str, path: str, body: Any = None, files: list[tuple[str, str, bytes]] | None = None) -> Any:
        """Return (status, headers, answer).

        `files` are (field, file name, bytes); then `body` holds the other form fields.
        """
        request = urllib.request.Request(f"{self.site.address}/api/v1{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.key}")
        data = None
        if files is not None:
            data, kind = encode_multipart(body or {}, files)
            request.add_header("Content-Type", kind)
        elif body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, data, timeout=60) as response:
                return response.status, response.headers, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, error.headers, _parse(error)

    def call(self, method: str, path: str, body: Any = None, files: Any = None) -> Any:
        """Return (status, answer); see `ask`."""
        status, _, answer = self.ask(method, path, body, files)
        return status, answer

    def ok(self, method: str, path: str, body: Any = None, files: Any = None) -> Any:
        status, answer = self.call(method, path, body, files)
        assert status < 300, (status, answer)
        return answer

    def fetch(self, path: str) -> bytes:
        """Return the bytes of a file."""
        request = urllib.request.Request(f"{self.site.address}/api/v1{path}")
        request.add_header("Authorization", f"Bearer {self.key}")
        with urllib.request.urlopen(request, timeout=60) as response:
            return bytes(response.read())

    def get(self, path: str) -> int:
        """Return the status of any address of the site."""
        request = urllib.request.Request(f"{self.site.address}{path}", headers={"Authorization": f"Bearer {self.key}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def wait_job(self, number: int, seconds: float = 90) -> Any:
        """Return the job once it has ended."""
        last: dict[str, Any] = {}

        def ended() -> bool:
            last.update(self.ok("GET", f"/jobs/{number}"))
            return last["status"] not in ("QUEUED", "RUNNING")

        self.site.wait(ended, seconds)
        return last

    def succeed(self, number: int, seconds: float = 90) -> Any:
        """Return the job once it has succeeded."""
        job = self.wait_job(number, seconds)
        assert job["status"] == "SUCCEEDED", (job["status"], job["error"], self.site.log.read_text()[-4000:])
        return job


def _parse(error: urllib.error.HTTPError) -> Any:
    """Return what the site says of an error. Raise AssertionError if it is not JSON, as from a proxy."""
    said = error.read()
    try:
        return json.loads(said)
    except ValueError:
        raise AssertionError(f"{error.code}: {said[:300]!r}") from None


def encode_multipart(fields: dict[str, str], files: list[tuple[str, str, bytes]]) -> tuple[bytes, str]:
    mark = uuid.uuid4().hex
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for field, name, data in files:
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        parts.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n")
    return b"".join(parts) + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"
