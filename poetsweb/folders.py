"""Where the data folder is: for the settings, and for commands that need nothing else of them."""

from pathlib import Path

from ml.settings import PUBLISHER, MLSettings
from poetsweb import env

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_file(BASE_DIR / ".env")

DATA_DIR = env.folder("POETSWEB_DATA", BASE_DIR / "var")
ML = MLSettings(
    weights_dir=DATA_DIR / "weights",
    backbones_dir=DATA_DIR / "backbones",
    weights_url=env.address("WEIGHTS_URL", PUBLISHER, ("https://", "http://")).rstrip("/"),
    fetch_private_addresses=env.boolean("FETCH_PRIVATE_ADDRESSES", False),
)
