"""Values are kept in the cache as JSON: whoever can write to a cache of pickles can run any program here."""

import json
from typing import Any


class JSONSerializer:
    """The serializer of Django's Redis cache. Keys of dictionaries come back as text, tuples as lists."""

    def dumps(self, value: Any) -> int | str:
        """Return what is stored; whole numbers as they are, so that the server can count."""
        return value if type(value) is int else json.dumps(value)

    def loads(self, data: bytes) -> Any:
        """Return the value."""
        return json.loads(data)
