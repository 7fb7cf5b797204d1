"""All addresses that there are, filled in for a project that has something at each of them."""

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from classifier.jobs.state import StoredFile, update_ended_state
from classifier.models import (
    ApiKey,
    Change,
    Contribution,
    CustomBackbone,
    ImageClass,
    Invitation,
    Job,
    Membership,
    ModelVersion,
    PartialUpload,
    Sample,
    ShareLink,
    Sweep,
    Team,
    Upload,
    Webhook,
)
from classifier.roles import GIVEN, Role
from classifier.services import members, resumable, share_links, teams
from classifier.services.accounts import create_api_key
from classifier.services.custom_backbones import request_backbone
from classifier.services.notices import add_webhook
from classifier.services.project_files.offering import project_file_path
from classifier.services.samples import add_tag
from classifier.storage import store_once
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import store_export

# Open to everybody, or only about whoever asks.
OPEN = {"health", "empty", "set_up", "sign_in", "sign_out", "sign_up", "invitation", "invitation_accept", "shared"}
OPEN |= {
    "set_password",
    "forgot_password",
    "sign_up_confirm",
    "sign_in_code",
    "oidc",
    "oidc_callback",
    "sign_in_passkey",
}
OWN = {"project_list", "project_new", "sample_project", "change_password", "api_keys", "revoke_key", "backbone_list"}
OWN |= {
    "account",
    "account_delete",
    "oidc_connect",
    "passkey_new",
    "passkey_remove",
    "identity_disconnect",
    "second_factor_on",
    "second_factor_key",
    "second_factor_off",
    "second_factor_codes",
    "session_end",
    "sessions_end",
    "all_jobs",
    "notifications",
    "webhook_test",
    "webhook_remove",
    "trash",
    "trash_restore",
    "trash_purge",
    "trash_restore_version",
    "trash_purge_version",
    "trash_restore_backbone",
    "trash_purge_backbone",
    "teams",
    "team_add",
    "team_remove",
    "team_delete",
}
ADMINISTRATORS = {
    *("disk_usage", "disk_usage_measure", "site_settings", "site_banner"),
    *("maintenance", "audit_log", "audit_log_csv", "users", "users_new", "user", "user_link", "user_disable"),
    *(
        "user_enable",
        "user_administrator",
        "user_quota",
        "user_delete",
        "user_restore",
        "user_purge",
        "user_second_factor",
    ),
}
HUB = {"hub_version", "hub_backbone"}  # also by key and by public link: see test_hub
FRAGMENTS = {"version_judged", "version_changes", "version_comparison_table"}  # parts of pages, which want to be asked
API_OPEN = {"/api/v1/openapi.json", "/api/v1/docs"}
CLASSIFY = ("post", "/api/v1/projects/{slug}/classify")
API_OWN = {"/api/v1/projects", "/api/v1/sample-projects", "/api/v1/backbones", "/api/v1/keys", "/api/v1/sources"}
API_OWN |= {"/api/v1/sessions", "/api/v1/account"}
API_OWN |= {"/api/v1/jobs", "/api/v1/webhooks", "/api/v1/teams", "/api/v1/trash", "/api/v1/invitations/{token}/accept"}


def page_patterns() -> list[URLPattern]:
    found: list[URLPattern] = []

    def collect(resolver: URLResolver) -> None:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                if "api/v1" not in str(pattern.pattern):
                    collect(pattern)
            elif pattern.name:
                found.append(pattern)

    collect(get_resolver())
    return found


PROJECT_PAGES = sorted({str(pattern.name) for pattern in page_patterns()} - OPEN - OWN - HUB - ADMINISTRATORS)


def arguments(trained: ModelVersion) -> dict[str, Any]:
    project = trained.project
    sample = Sample.objects.filter(project=project).select_related("image").first()
    assert sample is not None
    return {
        "slug": project.slug,
        "pk": {
            "class": ImageClass.objects.filter(project=project).values_list("pk", flat=True)[0],
            "upload": Upload.objects.filter(project=project).values_list("pk", flat=True)[0],
            "job": Job.objects.filter(project=project, kind="train").values_list("pk", flat=True)[0],
            "picture": sample.pk,
            "undo": Change.objects.filter(project=project).values_list("pk", flat=True)[0],
            "sweep": 1,
            "member": Membership.objects.get(project=project, user__username="viewer").pk,
            "waiting": Contribution.objects.get(project=project).pk,
            "user": User.objects.get(username="viewer").pk,
            "share": ShareLink.objects.get(project=project).pk,
            "invitation": Invitation.objects.get(project=project).pk,
            "backbone": CustomBackbone.objects.filter(owner=project.owner).values_list("pk", flat=True)[0],
        },
        "sha256": sample.image.sha256,
        "number": trained.number,
        "size": 160,
        "format": "tflite",
        "rest": "data/runs",
        "kind": "wrong_label",
        "table": "classes",
        "token": PartialUpload.objects.get(project=project).token,
    }


def surround(version: ModelVersion, folder: Path) -> None:
    """Give a trained version a file, and its project and owner something for each address."""
    store_export(version, folder)
    assert version.job is not None
    stored = StoredFile(sha256=hashlib.sha256(b"Colours").hexdigest(), size=7)
    store_once(project_file_path(stored.sha256), b"Colours")
    update_ended_state(version.job, project_file=stored)  # as if that job had written it
    Sweep.objects.create(project=version.project, number=version.number, varied={"seed": [0]})
    create_api_key(version.project.owner, "the owner's")
    add_webhook(version.project.owner, "https://example.org/hook")
    resumable.begin(version.project, resumable.Announced("colours.zip", 9), by=version.project.owner)
    add_tag(version.project, Sample.objects.filter(project=version.project), "Colours", by=version.project.owner)
    request_backbone(by=version.project.owner, address="https://example.org/a.tflite", title="Colours by others")
    for role in GIVEN:
        member = User.objects.create_user(role)
        members.add_member(version.project, member.username, role, by=version.project.owner)
    members.invite(version.project, Role.VIEWER, by=version.project.owner)
    share_links.create_link(version.project, by=version.project.owner)
    sent = Contribution(project=version.project, sha256="0" * 64, size=1, file_name="Colours")
    sent.save()
    store_once(sent.path, coloured_pictures(1)["red/0.jpg"])
    teams.create_team("Colours", by=version.project.owner)


def address(name: str, values: dict[str, Any]) -> str:
    (pattern,) = [one for one in page_patterns() if one.name == name]
    wanted = pattern.pattern.converters
    kwargs = {key: values[key] for key in wanted if key != "pk"}
    if "pk" in wanted:
        kwargs["pk"] = values["pk"][name.split("_")[0]]
    return reverse(name, kwargs=kwargs)


@lru_cache
def operation_names() -> dict[tuple[str, str], str]:
    """Return the name of each call, by its method and path; to describe them all takes half a second."""
    from classifier.api.router import api

    paths = api.get_openapi_schema()["paths"]
    return {(method, path): paths[path][method]["operationId"] for path in paths for method in paths[path]}


def api_operations() -> list[tuple[str, str]]:
    return sorted(operation_names())


BODIES = {
    "reimport": {},
    "move": {"ids": [1], "class_id": 1},
    "split": {"ids": [1], "split": "test"},
    "group": {"ids": [1], "group": "clip"},
    "tag": {"ids": [1], "tag": "check"},
    "untag": {"ids": [1], "tag": "check"},
    "unlabel": {"ids": [1]},
    "undo": {},
    "delete": {"ids": [1]},
    "erase": {"ids": [1]},
    "download": {"ids": [1]},
    "restore": {"ids": [1]},
    "exports": {"format": "tflite"},
    "answer": {"layout": "first"},
    "from-source": {"source": "/srv/photos"},
    "merge": {"into": 1},
    "dismiss": {"kind": "dark"},
    "stop": {},
    "webhooks": {"address": "https://example.org/hook"},
    "retry": {},
    "sweeps": {"settings": {"seed": [1, 2]}},
    "settings": {"least_accuracy": 80},
    "/teams/{team_id}/members": {"username": "stranger"},
    "{member_id}": {"role": "viewer"},
    "members": {"username": "stranger", "role": "viewer"},
    "invitations": {"role": "viewer"},
    "share-links": {},
    "owner": {"username": "nobody"},
    "leave": {},
    "accept": {},
    "known": {"sha256s": ["0" * 64]},
    "/users": {"username": "new"},
    "/users/{username}": {"is_active": True},
    "password-link": {},
    "measure": {},
    "/banner": {"banner": "Closed on Friday"},
}


def fill(path: str, trained: ModelVersion) -> str:
    """Return the address of a call, with something that is there in each of its places."""
    values = arguments(trained)
    filled = (
        path.replace("{slug}", values["slug"])
        .replace("{class_id}", str(values["pk"]["class"]))
        .replace("{job_id}", str(values["pk"]["job"]))
        .replace("{sha256}", values["sha256"])
        .replace("{sample_id}", str(values["pk"]["picture"]))
        .replace("{format}", values["format"])
        .replace("{webhook_id}", str(Webhook.objects.get().pk))
        .replace("{token}", values["token"])
        .replace("{other}", str(values["number"]))
        .replace("{change_id}", str(values["pk"]["undo"]))
        .replace("{key_id}", str(ApiKey.objects.filter(user=trained.project.owner).values_list("pk", flat=True)[0]))
        .replace("{member_id}", str(values["pk"]["member"]))
        .replace("{invitation_id}", str(values["pk"]["invitation"]))
        .replace("{link_id}", str(values["pk"]["share"]))
        .replace("{team_id}", str(Team.objects.get().pk))
        .replace("{username}", "viewer")
        .replace("{name}", "custom-unknown")
        .replace("{session_id}", "1")
        .replace("{number}", str(values["pk"]["upload"] if "uploads" in path else values["number"]))
    )
    assert "{" not in filled
    return filled


def call_api(client: Client, method: str, path: str, filled: str, headers: dict[str, str]) -> Any:
    """Make a call with a body of the right form; `filled` is the path with something in each of its places."""
    if path.endswith(("/uploads", "/classify", "/explain", "/imports")) and method == "post":
        from django.core.files.uploadedfile import SimpleUploadedFile

        field = {"uploads": "file", "classify": "image", "explain": "image", "imports": "graph"}[path.rsplit("/", 1)[1]]
        data = {field: SimpleUploadedFile("x.jpg", b"x"), **({"class": "red"} if field == "file" else {})}
        return client.post(filled, data, headers=headers)
    if "resumable" in path:
        return call_resumable(client, method, filled, headers)
    usual = {"name": "New name"} if method in ("post", "patch") else None
    body = BODIES.get(path.removeprefix("/api/v1"), BODIES.get(re.sub(r".*/", "", path), usual))
    if path.endswith("/train"):
        body = {}
    if method == "get":
        body = None  # it would become parameters of the address, which this call has not
    return getattr(client, method)(filled, body, content_type="application/json", headers=headers)


def call_resumable(client: Client, method: str, path: str, headers: dict[str, str]) -> Any:
    said = {"Upload-Offset": "0", "Upload-Length": "9", "Upload-Metadata": "filename Yy56aXA="}
    body = {"data": b"PK", "content_type": "application/offset+octet-stream"} if method == "patch" else {}
    return getattr(client, method)(path, **body, headers={**headers, **said})
