"""One running application for all tests that need one: `manage.py serve`, with the tiny backbone."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ml.backbones.registry import get_backbone
from ml.engines.conversion import ensure_tflite
from poetsweb.folders import ML
from tests.datasets import coloured_pictures, make_tgz
from tests.http_server import QuietHandler, serving
from tests.network_files import make_networks, pack_folder
from tests.once import make_once
from tests.site import Client, Site


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the tiny backbone, converted, only to be read."""
    return make_once(tmp_path_factory, "tiny_backbone", partial(ensure_tflite, get_backbone("testing", ML)))


@pytest.fixture(scope="session")
def backbones(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of it, to which more may be added."""
    return Path(shutil.copytree(tiny_backbone, tmp_path_factory.mktemp("data") / "backbones"))  # as in a data folder


@pytest.fixture(scope="session")
def prepared(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the dear parts of a data folder after its first start, only to be read: database and converted backbone."""

    def make(folder: Path) -> None:
        shutil.copytree(tiny_backbone, folder / "backbones")
        first = Site(tmp_path_factory.mktemp("first") / "data")
        first.manage("migrate", "--skip-checks")
        if (database := first.data / "db.sqlite3").exists():  # elsewhere each site has a new one on PostgreSQL
            shutil.copy2(database, folder)

    return make_once(tmp_path_factory, "prepared", make)


@pytest.fixture(scope="session")
def flowers_address() -> Iterator[str]:
    """Run a server that has the flowers, and others that do not keep what they promise."""
    flowers = coloured_pictures(4, seed=800)
    archive = make_tgz({"flower_photos/LICENSE.txt": b"free", **{f"flower_photos/{k}": v for k, v in flowers.items()}})

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            found = self.path != "/missing.tgz"
            self.send_response(200 if found else 404)
            promised = len(archive) * (2 if self.path == "/cut.tgz" else 1)
            self.send_header("Content-Length", str(promised if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(archive)

    with serving(Handler) as address:
        yield address


@pytest.fixture(scope="session")
def strange_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make networks as strangers send them; see `network_files`."""
    return make_once(tmp_path_factory, "networks", make_networks)


@pytest.fixture(scope="session")
def hub_address(strange_networks: Path) -> Iterator[str]:
    """Run a server that speaks TF Hub's protocol: /NAME gives that SavedModel; /moved redirects."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            source = strange_networks / path.strip("/")
            if path == "/moved":
                self.send_response(302)
                self.send_header("Location", f"/vector?{query}")
                self.end_headers()
            elif source.is_file():
                self._send(source.read_bytes())
            elif source.is_dir() and "tf-hub-format=compressed" in query:
                self._send(pack_folder(source))
            else:
                self.send_error(404)

        def _send(self, data: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving(Handler) as address:
        yield address


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, prepared: Path, flowers_address: str) -> Iterator[Site]:
    address = f"{flowers_address}/flower_photos.tgz"
    # Nobody publishes weights there; networks come from this machine.
    env = {"FLOWERS_URL": address, "WEIGHTS_URL": "http://127.0.0.1:1", "FETCH_PRIVATE_ADDRESSES": "true"}
    running = Site(tmp_path_factory.mktemp("site") / "data", prepared=prepared, **env).start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def owner(site: Site) -> Client:
    return site.client("owner")


@pytest.fixture(scope="session")
def stranger(site: Site) -> Client:
    return site.client("stranger")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a folder for a site of a test's own."""
    return tmp_path / "data"
