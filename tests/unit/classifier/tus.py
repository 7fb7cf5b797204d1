"""A client of the tus protocol, for the tests."""

import base64
from typing import Any

from django.test import Client

DATA = b"0123456789" * 3


def metadata(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


class Tus:
    """A client of the protocol for a project."""

    def __init__(self, client: Client, key: str, slug: str = "colours") -> None:
        self.client, self.path = client, f"/api/v1/projects/{slug}/resumable"
        self.headers = {"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0"}

    def begin(self, size: int = len(DATA), name: str = "colours.zip", **values: str) -> Any:
        said = {"Upload-Length": str(size), "Upload-Metadata": metadata(filename=name, **values)}
        return self.client.post(self.path, headers={**self.headers, **said})

    def send(self, address: str, offset: int, data: bytes, **more: Any) -> Any:
        said = {"content_type": "application/offset+octet-stream", **more}
        return self.client.patch(address, data, headers={**self.headers, "Upload-Offset": str(offset)}, **said)

    def offset(self, address: str) -> int:
        return int(self.client.head(address, headers=self.headers)["Upload-Offset"])

    def get(self, address: str) -> Any:
        return self.client.get(address, headers=self.headers).json()
