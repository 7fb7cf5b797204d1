"""The manifests are valid, and run the same programs in the same way as the other ways to install the site."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from classifier.management.commands.serve import processes
from poetsweb.celery import QUEUES
from poetsweb.env import Environment
from poetsweb.gunicorn import graceful_timeout

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
SITE: list[dict[str, Any]] = yaml.safe_load((FOLDER / "poetsweb.yaml").read_text())["items"]
SCALING: list[dict[str, Any]] = yaml.safe_load((FOLDER / "autoscaling.yaml").read_text())["items"]
DEPLOYMENTS = {one["metadata"]["labels"]["role"]: one for one in SITE if one["kind"] == "Deployment"}
VERSIONS = ("1.30", "1.33")

each_role = pytest.mark.parametrize("role", sorted(DEPLOYMENTS))


def pod(role: str) -> dict[str, Any]:
    found: dict[str, Any] = DEPLOYMENTS[role]["spec"]["template"]["spec"]
    return found


def container(role: str) -> dict[str, Any]:
    [found] = pod(role)["containers"]
    return dict(found)


def named(kind: str) -> list[dict[str, Any]]:
    return [one for one in SITE if one["kind"] == kind]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("item", SITE, ids=lambda item: f"{item['kind']}-{item['metadata']['name']}")
def test_manifests_are_what_kubernetes_accepts(item: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(item, version, strict=True)


def test_a_wrong_field_would_be_found() -> None:
    wrong = {**SITE[0], "dta": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_every_role_runs() -> None:
    assert set(DEPLOYMENTS) == set(processes())


@each_role
def test_programs_start_as_serve_starts_them(role: str) -> None:
    """Compare with `manage.py serve`; only paths, the number of processes and the address differ."""
    found = container(role)["command"]
    first = {"web": "poetsweb.wsgi", "reaper": "manage.py"}.get(role, "-A")
    served = processes()[role]
    theirs, ours = served[served.index(first) :], found[found.index(first) :]
    if "-c" in ours and role != "web":
        theirs[theirs.index("-c") + 1] = ours[ours.index("-c") + 1]
    assert ours == (theirs if role != "web" else [*theirs, "--bind", "0.0.0.0:8000"])


def test_every_queue_has_a_worker() -> None:
    commands = [container(role)["command"] for role in DEPLOYMENTS]
    served = [queue for command in commands if "-Q" in command for queue in command[command.index("-Q") + 1].split(",")]
    assert sorted(served) == sorted(QUEUES)


@each_role
def test_selectors_find_their_pods(role: str) -> None:
    spec = DEPLOYMENTS[role]["spec"]
    assert (
        spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == {"app": "poetsweb", "role": role}
    )


@each_role
def test_nothing_runs_as_root_or_writes_its_root(role: str) -> None:
    assert pod(role)["securityContext"]["runAsNonRoot"] is True
    assert pod(role)["securityContext"]["runAsUser"] > 0
    assert pod(role)["automountServiceAccountToken"] is False
    for one in (*pod(role)["containers"], *pod(role)["initContainers"]):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in one["resources"]["limits"]


@each_role
def test_what_is_mounted_is_there(role: str) -> None:
    volumes = {volume["name"] for volume in pod(role)["volumes"]}
    for one in (*pod(role)["containers"], *pod(role)["initContainers"]):
        assert {mount["name"] for mount in one["volumeMounts"]} == volumes
        assert {mount["mountPath"] for mount in one["volumeMounts"]} == {"/data", "/tmp"}


@each_role
def test_each_pod_prepares_itself(role: str) -> None:
    [prepare] = pod(role)["initContainers"]
    assert prepare["command"][:3] == ["python", "manage.py", "prepare"]
    assert prepare["image"] == container(role)["image"]


def test_settings_are_ours() -> None:
    [config] = named("ConfigMap")
    assert set(config["data"]) <= set(Environment.model_fields)
    assert all(isinstance(value, str) for value in config["data"].values())


def test_pods_are_asked_whether_they_live_and_whether_they_are_ready() -> None:
    web = container("web")
    assert web["livenessProbe"]["httpGet"]["path"] == web["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert web["readinessProbe"]["httpGet"]["path"] == "/readyz"
    for role in ("worker", "trainer", "opener"):
        assert container(role)["livenessProbe"]["exec"]["command"] == ["python", "-m", "classifier.alive", role]


def test_requests_are_finished_before_a_pod_is_killed() -> None:
    wait = int(container("web")["lifecycle"]["preStop"]["exec"]["command"][1])
    assert wait + graceful_timeout < pod("web")["terminationGracePeriodSeconds"]


def test_the_service_and_its_policies_reach_the_web_pods_alone() -> None:
    [service] = named("Service")
    web = DEPLOYMENTS["web"]["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == web
    [port] = service["spec"]["ports"]
    assert port["targetPort"] in {one["name"] for one in container("web")["ports"]}
    open_to = {str(one["spec"]["podSelector"]["matchLabels"]): one["spec"]["ingress"] for one in named("NetworkPolicy")}
    assert open_to[str({"app": "poetsweb"})] == []
    assert open_to[str(web)] == [{"ports": [{"port": 8000}]}]


def test_what_scales_is_there_and_its_figures_exist() -> None:
    names = {one["metadata"]["name"] for one in DEPLOYMENTS.values()}
    scaled = [
        one["spec"]["scaleTargetRef"]["name"] for one in (*SCALING, *SITE) if "scaleTargetRef" in one.get("spec", {})
    ]
    assert sorted(scaled) == ["poetsweb-trainer", "poetsweb-web", "poetsweb-worker"]
    assert set(scaled) <= names
    told = (FOLDER.parents[1] / "classifier/services/site_metrics.py").read_text()
    queries = re.findall(r"query: .*?(poetsweb_\w+)\{queue=~?\"([a-z|]+)\"", (FOLDER / "autoscaling.yaml").read_text())
    assert len(queries) == 2
    for metric, queues in queries:
        assert f'"{metric}"' in told
        assert set(queues.split("|")) <= set(QUEUES)
