"""A site below a path, behind the proxies that are to be had: nginx passes the path on, and Caddy takes it away."""

import http.cookiejar
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.datasets import coloured_pictures
from tests.nginx import NGINX
from tests.site import Site, encode_multipart, free_port

pytestmark = [pytest.mark.site, pytest.mark.timeout(300)]

BASE = "/poets"
BELOW_A_PATH = (
    NGINX
    + """
  server {{
    listen 127.0.0.1:{port};
    location {base}/ {{
      proxy_pass http://127.0.0.1:{site};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      client_max_body_size 21g;
    }}
  }}
}}
"""
)
CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  handle_path {base}/* {{
    reverse_proxy 127.0.0.1:{site}
  }}
}}
"""
COMMANDS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "nginx": (BELOW_A_PATH, lambda config: ["nginx", "-c", str(config), "-p", str(config.parent)]),
    "caddy": (CADDY, lambda config: ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("below") / "data"
    settings = {
        "SITE_URL": f"http://poets.example.org{BASE}",
        "TRUSTED_PROXIES": "127.0.0.1",
        "POETSWEB_SIGNUP": "open",
    }
    site = Site(folder, prepared=prepared, WEB_WORKERS="1", EMBED_WORKERS="1", **settings).start()
    site.client("owner")  # or the first visitor would be asked for a code
    yield site
    site.stop()


@contextmanager
def proxy(name: str, site: Site, folder: Path) -> Iterator[str]:
    """Run a proxy before the site, and give the address of the site behind it."""
    text, command = COMMANDS[name]
    port, config = free_port(), folder / "config"
    config.write_text(text.format(folder=folder, port=port, site=site.port, base=BASE))
    environment = {"PATH": "/usr/sbin:/usr/bin:/bin:/usr/local/bin", "HOME": str(folder)}
    process = subprocess.Popen(command(config), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


class Browser:
    """Follow addresses as a browser does, which knows nothing of the path before them."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def open(self, address: str, data: bytes | None = None, **headers: str) -> tuple[str, str]:
        """Return (where it ended, text)."""
        request = urllib.request.Request(urllib.parse.urljoin(self.origin, address), data, headers)
        with self._opener.open(request, timeout=60) as response:
            return response.url, response.read().decode()

    def send(self, address: str, **fields: str) -> tuple[str, str]:
        """Fill in the form at an address and send it."""
        _, page = self.open(address)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
        return self.open(address, data, Origin=self.origin, Referer=self.origin)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_site_works_below_a_path(name: str, site: Site, tmp_path: Path) -> None:
    if not shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin"):
        pytest.skip(f"{name} is not installed.")
    with proxy(name, site, tmp_path) as origin:
        browser = Browser(origin)
        ended, page = browser.open(f"{BASE}/")
        assert ended.startswith(f"{origin}{BASE}/sign-in")
        (style,) = re.findall(r'href="([^"]+site[^"]*\.css)"', page)
        assert style.startswith(f"{BASE}/static/")
        assert "--accent" in browser.open(style)[1]
        password = "correct-horse-9"
        browser.send(f"{BASE}/sign-up", username=f"by-{name}", password1=password, password2=password)
        ended, page = browser.send(f"{BASE}/projects/new", name="Colours")
        assert ended.startswith(f"{origin}{BASE}/projects/colours-")
        slug = ended.rstrip("/").rsplit("/", 1)[1]
        assert f'data-base="{BASE}"' in page
        token = re.search(r'data-csrf="([^"]+)"', page)
        assert token
        body, kind = encode_multipart({"class": "red"}, [("file", "x.jpg", coloured_pictures(1)["red/0.jpg"])])
        browser.open(
            f"{BASE}/api/v1/projects/{slug}/uploads",
            body,
            **{"Content-Type": kind, "X-CSRFToken": token[1], "Origin": origin},
        )
        _, page = browser.open(ended)
        (picture, *_) = re.findall(r'src="([^"]+/images/[^"]+)"', page)
        assert picture.startswith(f"{BASE}/projects/")
        links = set(re.findall(r'(?:href|src|action)="(/[^"]*)"', page))
        assert {link for link in links if not link.startswith(f"{BASE}/")} == set()
