"""/metrics: what it counts, what it never tells, and who may read it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from classifier.jobs import sending
from classifier.jobs.kinds import TRAIN
from classifier.models import ModelVersion, Project
from classifier.services import prediction, site_metrics
from classifier.services.accounts import create_api_key
from classifier.services.embeddings import count_reuse
from classifier.workers import record_reaper, record_worker
from ml.serving.current import use_inference
from ml.serving.inference import LocalInference
from ml.serving.stages import listen_to_stages
from ml.training.inference import ArtifactCache
from poetsweb.version import VERSION
from tests.pictures import make_jpeg

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "0123456789abcdef-secret"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(prediction, "artifacts", ArtifactCache(2**20))
    monkeypatch.setattr(site_metrics, "SECONDS_KEPT", -1.0)


def read(client: Client, **headers: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the value of each sample by its name and labels."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(found: dict[Any, float], name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0.0)


def classify(project: Project, data: bytes) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    _, key = create_api_key(project.owner, "test")
    address, picture = f"/api/v1/projects/{project.slug}/classify", SimpleUploadedFile("x.jpg", data)
    return Client().post(address, {"image": picture}, headers={"Authorization": f"Bearer {key}"})


def test_classifying_is_counted_with_its_stages(trained: ModelVersion, client: Client) -> None:
    from classifier.instruments import observe_stage

    use_inference(LocalInference())
    listen_to_stages(observe_stage)
    before = read(client)
    assert classify(trained.project, make_jpeg(1)).status_code == 200
    assert classify(trained.project, b"<html>").status_code == 422
    after = read(client)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("poetsweb_classified_pictures_total", result="unreadable") == 1
    assert sum(grown("poetsweb_classified_pictures_total", result=one) for one in ("class", "none_of_these")) == 1
    for stage, count in (("decode", 1), ("network", 1), ("head", 2)):
        assert grown("poetsweb_classify_stage_seconds_count", stage=stage) == count
    assert grown("poetsweb_artifact_cache_total", result="miss") == 1
    assert grown("poetsweb_artifact_cache_total", result="hit") == 1
    requests = {
        labels: grown("poetsweb_request_seconds_count", **dict(labels))
        for name, labels in after
        if name == "poetsweb_request_seconds_count" and dict(labels)["view"].endswith(":classify")
    }
    assert {dict(labels)["status"]: count for labels, count in requests.items() if count} == {"2xx": 1, "4xx": 1}


def test_requests_are_counted_by_the_name_of_their_page(as_owner: Client, project: Project, client: Client) -> None:
    before = read(client)
    assert as_owner.get(project.get_absolute_url()).status_code == 200
    as_owner.get("/nowhere/hunter2")
    as_owner.generic("BREW", "/sign-in")
    after = read(client)
    for labels in (
        {"view": "project", "method": "GET", "status": "2xx"},
        {"view": "none", "method": "GET", "status": "4xx"},
    ):
        name = "poetsweb_request_seconds_count"
        assert value(after, name, **labels) - value(before, name, **labels) == 1, labels
    assert "BREW" not in str(after)
    assert any(dict(labels).get("method") == "other" for _, labels in after)


def test_jobs_queues_workers_and_caches_are_told(trained: ModelVersion, owner: User, client: Client) -> None:
    sending.queue_job(TRAIN, project=trained.project, by=owner)
    record_worker("trainer@here", ["train"], memory=7)
    record_reaper([])
    count_reuse(10, 3)
    count_reuse(5, 0)
    found = read(client)
    assert value(found, "poetsweb_jobs", kind="train", state="queued") == 1
    assert value(found, "poetsweb_jobs", kind="train", state="succeeded") == 1
    assert value(found, "poetsweb_queue_waiting_jobs", queue="train") == 1
    assert value(found, "poetsweb_queue_oldest_seconds", queue="train") > 0
    assert value(found, "poetsweb_queue_workers", queue="train") == 1
    assert value(found, "poetsweb_queue_workers", queue="embed") == 0
    assert (value(found, "poetsweb_workers"), value(found, "poetsweb_workers_memory_bytes")) == (1, 7)
    assert value(found, "poetsweb_embedding_cache_total", result="hit") == 12
    assert value(found, "poetsweb_embedding_cache_total", result="miss") == 3
    assert value(found, "poetsweb_disk_free_bytes") > 0
    assert value(found, "poetsweb_stored_bytes", kind="pictures") > 0
    assert value(found, "poetsweb_live_versions") == 1
    build = [dict(labels) for name, labels in found if name == "poetsweb_build_info"]
    assert [one["version"] for one in build] == [VERSION]


def test_nothing_that_belongs_to_somebody_is_told(trained: ModelVersion, as_owner: Client, client: Client) -> None:
    as_owner.get(f"/projects/{trained.project.slug}")
    classify(trained.project, make_jpeg(1))
    said = client.get("/metrics").content.decode()
    assert trained.project.slug not in said
    assert "owner" not in said
    assert trained.artifact_digest not in said


def test_what_is_away_is_left_out(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise DatabaseError("postgres://user:hunter2@db")

    monkeypatch.setitem(site_metrics.PARTS, "jobs", fail)
    found = read(client)
    assert value(found, "poetsweb_collected", part="jobs") == 0
    assert value(found, "poetsweb_collected", part="disk") == 1
    assert value(found, "poetsweb_disk_free_bytes") > 0


# --- who may read it -----------------------------------------------------------------------------------


def test_programs_on_this_machine_may_read_it(client: Client) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("10.0.0.9", {}),
        ("", {}),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", {"X-Real-IP": "10.0.0.9"}),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.9"}),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}),
        ("127.0.0.1", {"Host": "evil.example.org"}),
        ("10.0.0.9", {"X-Forwarded-For": "127.0.0.1"}),
    ],
)
def test_others_find_nothing(client: Client, address: str, headers: dict[str, str]) -> None:
    assert client.get("/metrics", REMOTE_ADDR=address, headers=headers).status_code == 404


@pytest.mark.parametrize(("told", "status"), [("10.0.0.9", 404), ("127.0.0.1, 10.0.0.9", 404), ("127.0.0.1", 200)])
def test_trusted_proxy_says_who_asks(client: Client, settings: Any, told: str, status: int) -> None:
    settings.TRUSTED_PROXIES = ["1"]
    assert client.get("/metrics", headers={"X-Forwarded-For": told}).status_code == status


def test_administrators_have_no_way_around_it(client: Client, as_owner: Client, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    assert as_owner.get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 404


@pytest.mark.parametrize("header", ["", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer ", "Bearer ä"])
def test_token_is_needed_where_there_is_one(client: Client, settings: Any, header: str) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 404
    good = client.get("/metrics", REMOTE_ADDR="10.0.0.9", headers={"Authorization": f"Bearer {TOKEN}"})
    assert good.status_code == 200


# --- the board -----------------------------------------------------------------------------------------


def test_board_names_metrics_and_labels_that_exist(trained: ModelVersion, client: Client) -> None:
    test_classifying_is_counted_with_its_stages(trained, client)
    record_worker("trainer@here", ["train"])
    record_reaper([])
    found = read(client)
    board = json.loads((ROOT / "docs/grafana.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(queries) > 10
    names = {name: {label for label, _ in labels} for name, labels in found}
    for query in queries:
        named = re.findall(r"\b(poetsweb_\w+)", query)
        assert named, query
        assert set(named) <= set(names), query
        labels = {label for words in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r",\s*", words)}
        labels |= set(re.findall(r"(\w+)=~?\"", query))
        assert labels <= {"job", "instance"}.union(*(names[name] for name in named)), query
