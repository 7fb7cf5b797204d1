"""Measure download: how soon the pictures of a large project begin to come, and how fast they come."""

import hashlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from bench.figures import Figure, compare, rate_figure
from bench.photos import numbered
from bench.site import CLASSES, BenchmarkSite

MANY, FEW = 20_000, 2_000
ROUNDS = 5
MOST = 1.0  # seconds
LEAST_SHARE = 0.10
_PIECE = 2**16
_FIRST = 4 * 10**9  # of the pictures' numbers, which no other figure uses


def download_begins(bench: BenchmarkSite) -> Figure:
    """Measure the seconds until the first picture has come, beside those for a request that asks for nothing."""
    slug = _write_project(bench, "Many to download", MANY, _FIRST)
    found = compare(lambda: _first(bench, slug), [[lambda: _empty(bench)]], rounds=ROUNDS)
    ratio = found.ratio
    return Figure("download_begins", found.real, "s", found.limit, ratio, f"value <= {MOST:.0f}", found.real <= MOST)


def download_rate(bench: BenchmarkSite) -> Figure:
    """Measure the pictures a second of a whole download, beside reading their files and sending them as they are."""
    slug = _write_project(bench, "To download", FEW, _FIRST + MANY)
    files = _files(slug)
    found = compare(lambda: _all(bench, slug) / FEW, [[lambda: _plainly(files) / FEW]], rounds=ROUNDS)
    return rate_figure("download_rate", "pictures/s", found, least=LEAST_SHARE)


@contextmanager
def _download(bench: BenchmarkSite, slug: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", bench.site.port)
    headers = {"Authorization": f"Bearer {bench.client.key}"}
    connection.request("GET", f"/api/v1/projects/{slug}/download", headers=headers)
    try:
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"The download is answered with {answer.status}.")
        yield answer
    finally:
        connection.close()


def _first(bench: BenchmarkSite, slug: str) -> float:
    begun = time.perf_counter()
    with _download(bench, slug) as answer:
        answer.read(10_000)  # more than names and headers: the beginning of a picture
        return time.perf_counter() - begun


def _all(bench: BenchmarkSite, slug: str) -> float:
    begun = time.perf_counter()
    with _download(bench, slug) as answer:
        size = 0
        while piece := answer.read(_PIECE):
            size += len(piece)
    if size < FEW * min(map(len, bench.photos)):
        raise RuntimeError("The download is not whole.")
    return time.perf_counter() - begun


def _empty(bench: BenchmarkSite) -> float:
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", bench.site.port)
    connection.request("GET", "/health/empty")
    connection.getresponse().read()
    connection.close()
    return time.perf_counter() - begun


def _plainly(files: list[Path]) -> float:
    """Read the files one after the other and send them through a socket to a thread that takes them."""
    begun = time.perf_counter()
    sender, receiver = socket.socketpair()
    taker = threading.Thread(target=lambda: [None for _ in iter(lambda: receiver.recv(_PIECE), b"")])
    taker.start()
    with sender, receiver:
        for file in files:
            sender.sendall(file.read_bytes())
        sender.shutdown(socket.SHUT_WR)
        taker.join()
    return time.perf_counter() - begun


def _files(slug: str) -> list[Path]:
    from django.core.files.storage import default_storage

    from classifier.models import Sample

    samples = Sample.objects.filter(project__slug=slug).select_related("image").order_by("pk")
    return [Path(default_storage.path(sample.image.path)) for sample in samples]


def _write_project(bench: BenchmarkSite, name: str, count: int, first: int) -> str:
    """Write a project of so many pictures with their files, straight, as uploading them would take minutes."""
    bench.user  # noqa: B018 - Django is set up there
    from classifier.models import Image, Sample
    from classifier.services.projects import create_project, get_or_create_class
    from classifier.storage import store_unsynced

    project = create_project(name, by=bench.user)
    classes = [get_or_create_class(project, f"class {number}") for number in range(CLASSES)]
    numbers: Iterator[Any] = iter(range(count))
    while part := list(islice(numbers, 500)):
        images = [_image(numbered(bench.photos[n % len(bench.photos)], first + n), store_unsynced) for n in part]
        Image.objects.bulk_create(images)
        Sample.objects.bulk_create(
            Sample(project=project, image=image, image_class=classes[n % CLASSES], file_name=f"{n:05}.jpg")
            for n, image in zip(part, images, strict=True)
        )
    return project.slug


def _image(photo: bytes, store: Any) -> Any:
    from classifier.models import Image

    image = Image(sha256=hashlib.sha256(photo).hexdigest(), format="JPEG", width=500, height=375, size=len(photo))
    store(image.path, photo)
    return image
