"""For whom pictures are asked about, so that one person's large pictures leave room for those of others."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ml.images.budget import TooBusy

Asker = Callable[[], str]  # finds a name when it is needed, which is rarely, in the thread of the request

_asker: ContextVar[Asker] = ContextVar("asker", default=lambda: "")


@contextmanager
def asking_for(asker: Asker) -> Iterator[None]:
    """Let what is asked in this block be asked for whoever `asker` names."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


def current_asker() -> Asker:
    """Return what finds the name of the one for whom this thread asks; "" for nobody in particular."""
    return _asker.get()


class Places:
    """Places to wait in: few altogether, and one for each name, so that no one takes all of them."""

    def __init__(self, count: int) -> None:
        self.free = count
        self._names: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Have a place during this block. Raise TooBusy if there is none for this name."""
        with self._lock:
            if not self.free or name in self._names:
                raise TooBusy
            self.free -= 1
            self._names.update({name} - {""})
        try:
            yield
        finally:
            with self._lock:
                self.free += 1
                self._names.discard(name)
