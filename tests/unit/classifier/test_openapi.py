"""The API describes itself well enough for other people's programs to be generated from it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from classifier.api.router import api
from classifier.services.accounts import create_api_key

OPERATIONS = {
    *("list_projects", "create_project", "create_sample_project", "get_project", "rename_project"),
    *("list_share_links", "create_share_link", "revoke_share_link", "classify_shared"),
    *("list_members", "add_member", "change_role", "remove_member", "leave_project", "hand_on_project"),
    *("list_invitations", "invite", "revoke_invitation", "accept_invitation"),
    *("list_teams", "create_team", "delete_team", "add_to_team", "remove_from_team"),
    *("list_trash", "delete_project", "restore_project", "purge_project", "delete_version", "restore_version"),
    *("purge_version", "delete_export", "delete_upload", "delete_backbone", "restore_backbone", "purge_backbone"),
    *("create_class", "rename_class", "delete_class", "merge_class"),
    *("list_samples", "move_samples", "split_samples", "group_samples"),
    *("delete_samples", "restore_samples", "purge_samples", "erase_samples", "get_image"),
    *("download_pictures", "download_chosen_pictures", "list_dataset_versions", "get_dataset_version"),
    *("compare_dataset_versions", "restore_dataset_version"),
    *("unlabel_samples", "tag_samples", "untag_samples", "list_changes", "undo_change"),
    *("list_sources", "upload_from_source"),
    *("upload", "answer_upload", "get_upload", "list_uploads", "list_known"),
    *("begin_resumable", "list_resumable", "get_resumable", "append_part", "discard_resumable"),
    *("train", "preflight", "list_jobs", "get_job", "cancel_job", "get_event_files"),
    *("list_all_jobs", "get_job_log", "download_job_log", "stop_job", "retry_job", "delete_job"),
    *("get_maintenance", "list_webhooks", "add_webhook", "remove_webhook", "test_webhook", "list_deliveries"),
    *("start_sweep", "list_sweeps", "get_sweep", "cancel_sweep"),
    *("list_versions", "get_version", "list_test_pictures", "promote", "create_public_link", "revoke_public_link"),
    *("create_export", "list_version_exports", "get_export", "import_version", "reimport_version"),
    *("get_evaluation", "get_class_curve", "list_judged_pictures"),
    *("describe_version", "get_advice", "reproduce_version", "compare_model_versions", "list_changed_pictures"),
    *("write_project_file", "download_project_file"),
    *("get_project_settings", "change_project_settings", "check_quality_gate"),
    *("get_candidate", "keep_project_candidate"),
    *("get_audit", "start_audit", "dismiss_findings"),
    *("compare_backbones", "get_backbone_comparison"),
    *("list_backbones", "add_backbone", "classify", "explain", "explain_sample"),
    *("list_keys", "create_key", "revoke_key"),
    *("list_users", "create_user", "get_user", "change_user", "create_password_link", "delete_user", "restore_user"),
    "remove_second_factor",
    *("list_settings", "get_banner", "set_banner"),
    *("get_disk_usage", "measure_disk_usage"),
    *("list_audit_entries", "list_sessions", "end_session", "delete_account"),
}


@cache
def description() -> str:
    """Return the API's description as JSON; to make it takes half a second."""
    return json.dumps(api.get_openapi_schema())


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for calls in json.loads(description())["paths"].values():
        yield from calls.items()


def test_operation_ids_are_stable() -> None:
    """Keep the names, which programs call: add new ones here, and never rename one."""
    assert [call["operationId"] for _, call in operations()] == list(
        dict.fromkeys(call["operationId"] for _, call in operations())
    )
    assert {call["operationId"] for _, call in operations()} == OPERATIONS


@pytest.mark.parametrize(("method", "call"), list(operations()), ids=[c["operationId"] for _, c in operations()])
def test_operation_is_described(method: str, call: dict[str, Any]) -> None:
    assert call["summary"]
    assert call["description"].rstrip().endswith(".")
    said = set(call["responses"])
    assert {"401", "500", "503"} <= said
    assert any(status.startswith("2") for status in said)
    if method != "get":
        assert {"400", "413", "422"} <= said
    if any(parameter["in"] == "path" for parameter in call["parameters"]):
        assert "404" in said


def test_settings_of_a_training_are_typed() -> None:
    fields = json.loads(description())["components"]["schemas"]["TrainIn"]["properties"]
    for name, field in fields.items():
        assert field.get("description"), name
        assert {"type", "anyOf"} & set(field), f"{name} may be anything"


@pytest.mark.slow
def test_generated_client_names_classes(tmp_path: Path, client: Client, live_server: Any, owner: Any) -> None:
    """Generate a client with `openapi-python-client`, and create and list a project with it."""
    (tmp_path / "openapi.json").write_text(client.get("/api/v1/openapi.json").content.decode())
    # The generator knows one type of binary answers.
    binary = dict.fromkeys(
        ("application/zip", "image/*", "application/offset+octet-stream"), "application/octet-stream"
    )
    (tmp_path / "config.json").write_text(json.dumps({"content_type_overrides": binary}))
    tools = Path(sys.executable).parent  # it asks for ruff by name
    given = ["--meta", "none", "--config", "config.json", "--path", "openapi.json", "--output-path", "poets"]
    subprocess.run(
        [tools / "openapi-python-client", "generate", *given, "--fail-on-warning"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        check=True,
        capture_output=True,
    )
    program = """
import sys
from poets import AuthenticatedClient
from poets.api.projects import create_class, create_project, get_project, list_projects
from poets.models import ClassIn, ErrorOut, ProjectIn
client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
made = create_project.sync(client=client, body=ProjectIn(name="Birds"))
create_class.sync(client=client, slug=made.slug, body=ClassIn(name="robin"))
print([(one.name, one.slug == made.slug) for one in list_projects.sync(client=client)])
print([one.name for one in get_project.sync(client=client, slug=made.slug).classes])
missing = get_project.sync_detailed(client=client, slug="nothing")
print(int(missing.status_code), isinstance(missing.parsed, ErrorOut))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, live_server.url, create_api_key(owner, "test")[1]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["[('Birds', True)]", "['robin']", "404 True"], done.stderr
