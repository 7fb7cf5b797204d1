"""Provide what the figures are measured on: a site of its own, started as a user starts it.

Everything is made when it is first asked for, so that a single figure costs no more than it needs.
"""

import io
import os
import time
import urllib.request
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.load import LoadClient
from bench.photos import draw_photos, numbered
from bench.raw import RawMachine
from tests.site import Client, Site, free_port

CLASSES = 5
# Empty means the default of a fresh installation, whatever this shell or a .env file says.
DEFAULTS = dict.fromkeys(
    (
        *("WEB_WORKERS", "WEB_THREADS", "EMBED_WORKERS", "PREDICT_THREADS", "POETSWEB_BACKBONE", "DATABASE_URL"),
        *("REDIS_URL", "S3_BUCKET", "HTTPS", "DEBUG", "ALLOWED_HOSTS", "LOG_JSON", "HOST"),
    ),
    "",
)
FIRST_JOB = 60  # pictures, enough to warm up the workers


class BenchmarkSite:
    """A site in a temporary folder, and what the figures share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = 0  # used so far; no picture file is used twice
        os.environ.update(DEFAULTS, POETSWEB_DATA=str(folder / "data"), PORT=str(free_port()))
        os.environ["DJANGO_SETTINGS_MODULE"] = "poetsweb.settings"
        # What the other figures measure would be done before they do.
        self.site = Site(folder / "data", **DEFAULTS, EMBED_EARLY="false")

    def close(self) -> None:
        """Stop everything that was started."""
        for name in ("raw", "load"):
            if name in self.__dict__:
                getattr(self, name).close()
        if self.site.process is not None:
            self.site.stop()

    @cached_property
    def photos(self) -> list[bytes]:
        """Return the pictures that all figures use."""
        return draw_photos()

    @cached_property
    def client(self) -> Client:
        """Start the site and return a client of it. From then on this process sees its database too."""
        self.site.start()
        client = self.site.client("bench")
        import django

        django.setup()
        return client

    @cached_property
    def backbone_file(self) -> Path:
        """Return the converted default backbone."""
        self.client  # noqa: B018 - starting the site converts the backbone
        return next((self.site.data / "backbones").glob("*.tflite"))

    @cached_property
    def raw(self) -> RawMachine:
        """Return the plain loops over the same work."""
        return RawMachine(self.photos, self.backbone_file, self.folder / "raw")

    @cached_property
    def load(self) -> LoadClient:
        """Return the HTTP client."""
        return LoadClient()

    @cached_property
    def user(self) -> Any:
        """Return the user whom the client acts for."""
        self.client  # noqa: B018 - Django is set up there
        from django.contrib.auth.models import User

        return User.objects.get(username="bench")

    @cached_property
    def cookie(self) -> str:
        """Return the cookie of a browser in which the user has signed in."""
        user = self.user
        from django.test import Client as Browser

        browser = Browser()
        browser.force_login(user)
        return "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())

    def first_byte(self, path: str) -> float:
        """Return the seconds until the first byte of a page is there."""
        request = urllib.request.Request(f"{self.site.address}{path}", headers={"Cookie": self.cookie})
        begun = time.perf_counter()
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read(1)
            took = time.perf_counter() - begun
            response.read()
        return took

    @cached_property
    def project(self) -> str:
        """Return the slug of a small trained project; making it warms up all workers."""
        slug = self.new_project("First")
        self.finish(self.send_zip(slug, FIRST_JOB))
        self.finish(self.train(slug))
        return slug

    def new_project(self, name: str) -> str:
        """Make a project and return its slug."""
        return str(self.client.ok("POST", "/projects", {"name": name})["slug"])

    def send_zip(self, slug: str, count: int) -> int:
        """Post an archive of new pictures, and return the job that reads it."""
        archive = self._zip(count)
        answer = self.client.ok("POST", f"/projects/{slug}/uploads", files=[("file", "photos.zip", archive)])
        return int(answer["job"])

    def _zip(self, count: int) -> bytes:
        """Return a zip that stores JPEG files uncompressed, as careful tools do because they hardly shrink."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for place in range(count):
                photo = numbered(self.photos[place % len(self.photos)], self.files + place)
                archive.writestr(f"photos/class {place % CLASSES}/{place:05}.jpg", photo)
        self.files += count
        return buffer.getvalue()

    def train(self, slug: str, **config: Any) -> int:
        """Start a training, and return its job."""
        answer = self.client.ok("POST", f"/projects/{slug}/train", {"promote": True, "force": True, **config})
        return int(answer["job"])

    def finish(self, job: int, every: float = 0.25, seconds: float = 300) -> Any:
        """Return the job's row once it has ended.

        It is read from the database, because asking the site would cost what is measured. Raise `RuntimeError` if the
        job fails or takes too long.
        """
        from classifier.models import Job

        until = time.monotonic() + seconds
        while time.monotonic() < until:
            row = Job.objects.get(pk=job)
            if not row.is_open:
                if row.status != Job.Status.SUCCEEDED:
                    raise RuntimeError(f"Job {job} ended as {row.status}: {row.error} {row.error_detail}")
                return row
            time.sleep(every)
        raise RuntimeError(f"Job {job} did not end within {seconds} s.")
