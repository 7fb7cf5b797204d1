"""Where the data folder is: for the settings, and for commands that need nothing else of them."""

from pathlib import Path

from poetsweb import env

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_file(BASE_DIR / ".env")

DATA_DIR = env.folder("POETSWEB_DATA", BASE_DIR / "var")
BACKBONE_DIR = DATA_DIR / "backbones"
WEIGHTS_URL = env.address("WEIGHTS_URL", "https://storage.googleapis.com", ("https://", "http://"))
FETCH_PRIVATE_ADDRESSES = env.boolean("FETCH_PRIVATE_ADDRESSES", False)

# For child processes, and for what in this one knows no Django.
env.pass_on(
    {
        "POETSWEB_BACKBONES": str(BACKBONE_DIR),
        "POETSWEB_WEIGHTS": str(DATA_DIR / "weights"),
        "WEIGHTS_URL": WEIGHTS_URL.rstrip("/"),
        "FETCH_PRIVATE_ADDRESSES": str(FETCH_PRIVATE_ADDRESSES).lower(),
    }
)
