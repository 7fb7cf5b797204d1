"""Tell the computing code about its surroundings in one frozen object, which is passed in and on to child processes."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

PUBLISHER = "https://storage.googleapis.com"


@dataclass(frozen=True)
class MLSettings:
    """The settings of this machine that the computing code needs."""

    weights_dir: Path  # weights that no package carries, and custom backbones
    backbones_dir: Path  # converted backbones, and what else is made once a machine and can be made again
    weights_url: str = PUBLISHER  # where weights are downloaded from, without a slash at the end
    fetch_private_addresses: bool = False  # whether networks may be fetched from inside the local network
    unconfined_networks: bool = False  # whether strangers' networks run even where the system cannot confine them

    def dump(self) -> str:
        """Return the settings as JSON, for the arguments of a child process."""
        return json.dumps(asdict(self), default=str)

    def for_command_line(self) -> "MLSettings":
        """Return the settings for a command: who types the name of a network on this machine runs it anyway."""
        return replace(self, unconfined_networks=True)

    @classmethod
    def parse(cls, text: str) -> "MLSettings":
        """Return the settings that `dump` wrote."""
        values = json.loads(text)
        weights_dir, backbones_dir = (Path(values.pop(name)) for name in ("weights_dir", "backbones_dir"))
        return cls(weights_dir, backbones_dir, **values)
