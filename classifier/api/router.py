"""The API and its parts. A call is: permission -> service -> answer."""

from ninja import NinjaAPI
from ninja.operation import Operation

from classifier.api import (
    account,
    audit,
    audit_log,
    backbone_comparisons,
    backbones,
    candidates,
    changes,
    classes,
    classify,
    comparisons,
    datasets,
    disk_usage,
    evaluations,
    explanations,
    exports,
    imports,
    jobs,
    keys,
    maintenance,
    members,
    projects,
    resumable,
    samples,
    sessions,
    share_links,
    site_settings,
    sweeps,
    teams,
    training,
    trash,
    uploads,
    users,
    versions,
    webhooks,
)
from classifier.api.auth import AUTH
from classifier.api.checks import refuse_unknown_names
from classifier.api.errors import install_error_handlers


class PoetsWebAPI(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the name of the function: what generated clients call it. A test holds the names."""
        return str(operation.view_func.__name__)


api = PoetsWebAPI(
    title="PoetsWeb",
    version="1",
    description="Everything the pages do. Create a key on the page “API keys” or with `manage.py create_api_key`.",
    auth=AUTH,
    urls_namespace="api",
)
install_error_handlers(api)
api.add_decorator(refuse_unknown_names)
# Addresses are tried in this order: classifying first, for the sake of its speed.
for name, part in {
    "classify": classify,
    "projects": projects,
    "samples": samples,
    "datasets": datasets,
    "history": changes,
    "audit": audit,
    "uploads": uploads,
    "resumable uploads": resumable,
    "backbones": backbones,
    "backbone comparisons": backbone_comparisons,
    "training": training,
    "jobs": jobs,
    "sweeps": sweeps,
    "candidates": candidates,
    "versions": versions,
    "evaluations": evaluations,
    "explanations": explanations,
    "comparisons": comparisons,
    "exports": exports,
    "imports": imports,
    "trash": trash,
    "share links": share_links,
    "members": members,
    "teams": teams,
    "keys": keys,
    "webhooks": webhooks,
    "sessions": sessions,
    "account": account,
    "users": users,
    "audit log": audit_log,
    "site settings": site_settings,
    "disk usage": disk_usage,
    "maintenance": maintenance,
}.items():
    api.add_router("", part.router, tags=[name])
api.add_router("", classes.router, tags=["projects"])  # generated clients have looked for them there
