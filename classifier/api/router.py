"""The API and its parts. A call is: permission -> service -> answer."""

from ninja import NinjaAPI

from classifier.api import backbones, classify, exports, imports, projects, samples, training, uploads, versions
from classifier.api.auth import AUTH
from classifier.api.errors import install_error_handlers

api = NinjaAPI(
    title="PoetsWeb",
    version="1",
    description="All that the pages do. Make a key on the page “API keys” or with `manage.py create_api_key`.",
    auth=AUTH,
    urls_namespace="api",
)
install_error_handlers(api)
# Addresses are tried in this order: classifying first, for the sake of its speed.
for name, part in {
    "classify": classify,
    "projects": projects,
    "samples": samples,
    "uploads": uploads,
    "backbones": backbones,
    "training": training,
    "versions": versions,
    "exports": exports,
    "imports": imports,
}.items():
    api.add_router("", part.router, tags=[name])
