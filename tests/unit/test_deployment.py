"""docker-compose.yml and Dockerfile name only what exists. They are read here, not run: no engine is needed."""

import ast
import importlib.util
import re
import tomllib
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from classifier.management.commands.serve import UNCHECKED, processes
from poetsweb.celery import QUEUES
from poetsweb.env import SECRETS, Environment
from poetsweb.passwords import write_passwords

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LASTING = {name: service for name, service in SERVICES.items() if service["restart"] != "no"}
# What the images that are not ours bring along, as their own pages say.
FOREIGN_PROGRAMS = {"postgres": {"pg_isready"}, "redis": {"redis-server", "redis-cli"}}
FOREIGN_VARIABLES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE"}
SETTINGS = set(Environment.model_fields) | {f"{name}_FILE" for name in SECRETS}
ONCE = {"prepare", "passwords"}  # services that end


def each(services: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("name", sorted(services))


def instructions() -> list[tuple[str, str]]:
    """List (INSTRUCTION, the rest) of the Dockerfile, with continued lines joined."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in whole.splitlines())]


def commands_of(name: str) -> list[list[str]]:
    """List what a service runs: its command, and that of its health check."""
    test = SERVICES[name].get("healthcheck", {}).get("test", [])
    found = [SERVICES[name].get("command", []), test[1:]]
    return [command for command in found if command]


def option(command: list[str], flag: str) -> str:
    return command[command.index(flag) + 1]


def celery_services() -> dict[str, list[str]]:
    return {name: service["command"] for name, service in OURS.items() if service["command"][0] == "celery"}


# --- commands ------------------------------------------------------------------------------------------


def test_the_roles_are_there() -> None:
    assert set(SERVICES) == {"postgres", "redis", *ONCE, "web", "worker", "trainer", "opener", "reaper"}


@each(OURS)
def test_commands_name_programs_that_exist(name: str) -> None:
    scripts = {script.name for script in entry_points(group="console_scripts")}
    for command in commands_of(name):
        check_command(command, scripts)


def check_command(command: list[str], scripts: set[str]) -> None:
    match command:
        case ["python", "manage.py", subcommand, *_]:
            assert (ROOT / "manage.py").is_file()
            assert subcommand in get_commands()
        case ["python", "-c", code]:
            check_code(code)
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module)
        case ["gunicorn", application, "-c", config, *_]:
            assert "gunicorn" in scripts
            assert f"{application}.application" == settings.WSGI_APPLICATION
            assert importlib.util.find_spec(config.removeprefix("python:"))
        case ["celery", "-A", app, "worker", *_]:
            assert "celery" in scripts
            assert importlib.util.find_spec(f"{app}.celery")
        case _:
            raise AssertionError(f"not a command of this project: {command}")


def check_code(code: str) -> None:
    """Check that code written into the file compiles, and imports what exists."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            assert all(importlib.util.find_spec(alias.name) for alias in node.names)


@each(FOREIGN_PROGRAMS)
def test_foreign_services_run_programs_of_their_image(name: str) -> None:
    assert SERVICES[name]["image"].partition(":")[0] == name
    assert {command[0] for command in commands_of(name)} <= FOREIGN_PROGRAMS[name]


def test_every_queue_has_a_worker_and_every_worker_known_queues() -> None:
    served = [queue for command in celery_services().values() for queue in option(command, "-Q").split(",")]
    assert sorted(served) == sorted(QUEUES)


def test_training_has_one_process() -> None:
    """Run one, which keeps TensorFlow loaded; two would not fit into a laptop."""
    trainers = [command for command in celery_services().values() if "train" in option(command, "-Q").split(",")]
    assert [option(command, "-c") for command in trainers] == ["1"]


def test_workers_start_as_serve_starts_them() -> None:
    """Compare `manage.py serve` and the compose file; only the number of processes differs."""
    for name, command in celery_services().items():
        served = processes()[name]
        theirs = served[served.index("-A") :]
        assert [word for word in theirs if word != option(theirs, "-c")] == [
            word for word in command[1:] if word != option(command, "-c")
        ]


# --- settings ------------------------------------------------------------------------------------------


@each(SERVICES)
def test_environment_names_settings(name: str) -> None:
    known = SETTINGS | FOREIGN_VARIABLES if name in OURS else FOREIGN_VARIABLES
    assert set(SERVICES[name].get("environment", {})) <= known


def test_interpolated_variables_are_known_and_have_defaults() -> None:
    for variable, default in re.findall(r"\$\{(\w+)([^}]*)\}", (ROOT / "docker-compose.yml").read_text()):
        assert variable in set(Environment.model_fields) | FOREIGN_VARIABLES
        assert default.startswith(":-"), f"{variable} must not be needed for a first start"


def test_services_are_reached_with_the_passwords_that_were_made(tmp_path: Path) -> None:
    write_passwords(tmp_path, tmp_path / "data")
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    postgres = SERVICES["postgres"]["environment"]
    user, base = postgres["POSTGRES_USER"], postgres["POSTGRES_DB"]
    assert postgres["POSTGRES_PASSWORD_FILE"] == "/passwords/postgres_password"
    assert made["database_url"] == f"postgres://{user}:{made['postgres_password']}@postgres:5432/{base}"
    password = re.search(r"^requirepass (\w+)$", made["redis.conf"], re.MULTILINE)[1]  # type: ignore[index]
    assert SERVICES["redis"]["command"] == ["redis-server", "/passwords/redis.conf"]
    assert made["redis_url"] == f"redis://:{password}@redis:6379/0"
    for name in LASTING.keys() & OURS.keys():
        environment = OURS[name]["environment"]
        assert environment["DATABASE_URL_FILE"] == "/passwords/database_url"
        assert environment["REDIS_URL_FILE"] == "/passwords/redis_url"


def test_passwords_are_in_a_folder_that_services_of_other_users_enter() -> None:
    mode = re.search(r"--mode=0(\d{3}) /passwords", (ROOT / "Dockerfile").read_text())
    assert mode is not None
    assert int(mode[1], 8) & 0o007 == 0o005


def test_only_their_maker_writes_passwords() -> None:
    may_write = [name for name, service in SERVICES.items() if "passwords:/passwords" in service.get("volumes", [])]
    assert may_write == ["passwords"]


def test_web_is_published_where_it_listens_and_on_this_machine_only() -> None:
    web = SERVICES["web"]
    assert web["ports"] == [f"${{HOST:-127.0.0.1}}:${{PORT:-8000}}:{web['environment']['PORT']}"]
    assert option(web["command"], "--bind") == f"{web['environment']['HOST']}:{web['environment']['PORT']}"
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]


def test_health_check_of_web_asks_where_it_listens() -> None:
    code = SERVICES["web"]["healthcheck"]["test"][-1]
    assert f"http://127.0.0.1:{SERVICES['web']['environment']['PORT']}/readyz" in code
    assert "127.0.0.1" in SERVICES["web"]["environment"]["ALLOWED_HOSTS"].split(",")


@each(celery_services())
def test_health_check_of_a_worker_asks_for_its_own_name(name: str) -> None:
    assert option(SERVICES[name]["command"], "-n") == f"{name}@%h"
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "python", "-m", "classifier.alive", name]


def test_files_are_shared_by_all_roles() -> None:
    """Use the same folder, volume and setting for whoever stores a picture and whoever reads it."""
    for name, service in OURS.items():
        kept = [volume for volume in service["volumes"] if volume.startswith("data:")]
        assert kept == ["data:" + service["environment"]["POETSWEB_DATA"] + (":ro" if name == "passwords" else "")]


# --- the graph -----------------------------------------------------------------------------------------


@each(SERVICES)
def test_volumes_are_defined_and_none_is_a_folder_of_the_host(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        assert volume.partition(":")[0] in COMPOSE["volumes"]


@each(SERVICES)
def test_dependencies_exist_and_can_reach_their_condition(name: str) -> None:
    for other, wanted in SERVICES[name].get("depends_on", {}).items():
        match wanted["condition"]:
            case "service_healthy":
                assert "healthcheck" in SERVICES[other]
            case "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no"
            case unknown:
                raise AssertionError(unknown)


@each({name: service for name, service in OURS.items() if name not in ONCE})
def test_roles_wait_for_the_preparation(name: str) -> None:
    assert {"prepare", "postgres", "redis"} <= set(SERVICES[name]["depends_on"])


def test_every_volume_is_used() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


@each(LASTING)
def test_what_runs_on_is_watched_and_restarted(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert check["interval"]
    assert check["timeout"]


# --- what nobody may do --------------------------------------------------------------------------------


@each(SERVICES)
def test_no_service_runs_as_root_or_reaches_the_host(name: str) -> None:
    service = SERVICES[name]
    user = service.get("user") or last_user()
    assert user.partition(":")[0] not in ("", "root", "0")
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "volumes_from"} & set(service)
    assert service.get("network_mode", "none") == "none"


@each(SERVICES)
def test_services_give_up_what_they_do_not_need(name: str) -> None:
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["pids_limit"] <= 512
    assert "mem_limit" in SERVICES[name]


def test_all_together_fit_into_a_laptop() -> None:
    """Stay within 8 GB. The preparation has ended when the others start."""
    units = {"m": 1, "g": 1024}
    limits = [service["mem_limit"] for service in LASTING.values()]
    assert sum(int(limit[:-1]) * units[limit[-1]] for limit in limits) <= 7 * 1024


def last_user() -> str:
    return [rest for word, rest in instructions() if word == "USER"][-1]


# --- the image -----------------------------------------------------------------------------------------


def test_user_is_set_before_the_command() -> None:
    words = [word for word, _ in instructions()]
    assert words.index("USER") < words.index("CMD")
    assert last_user() == "10001:0", "by number: Kubernetes cannot tell whether a name is root's"
    assert "useradd --uid 10001 --gid 0 " in DOCKERFILE


def test_copied_sources_exist_and_are_in_the_context() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = {source for word, rest in instructions() if word == "COPY" for source in rest.split()[:-1]}
    assert sources == let_in
    assert all((ROOT / source).exists() for source in sources)


def test_image_has_every_package_of_ours() -> None:
    """Copy every new top-level package into the image."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench", "tests"}
    copied = {rest.split()[0] for word, rest in instructions() if word == "COPY"}
    assert packages <= copied


def test_image_has_a_python_that_we_support() -> None:
    version = re.search(r"^FROM python:(3\.\d+)-slim$", DOCKERFILE, re.MULTILINE)
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", wanted).groups()  # type: ignore[union-attr]
    assert version is not None
    assert int(low) <= int(version[1].removeprefix("3.")) < int(high)


def test_image_installs_hashed_packages_only() -> None:
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip" in rest]
    assert len(installs) == 1
    assert "--no-deps --require-hashes" in installs[0]
    copied = next(rest.split()[:-1] for word, rest in instructions() if word == "COPY")
    assert re.findall(r"-r /tmp/([^\s;]+)", installs[0]) == copied
    assert copied == ["requirements.txt", "requirements-s3.txt", "requirements-gpu.txt"]


def test_image_environment_names_settings() -> None:
    names = {name for word, rest in instructions() if word == "ENV" for name in re.findall(r"(\w+)=", rest)}
    of_others = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "HOME", "TF_FORCE_GPU_ALLOW_GROWTH", *UNCHECKED}
    assert set(UNCHECKED) <= names <= set(Environment.model_fields) | of_others
    assert "SECRET_KEY" not in names


def test_image_runs_the_web_role_by_itself() -> None:
    command = next(rest for word, rest in instructions() if word == "CMD")
    assert ast.literal_eval(command) == SERVICES["web"]["command"]


def test_programs_come_from_pinned_packages() -> None:
    pinned = {line.partition("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    for program in ("gunicorn", "celery"):
        assert distribution(program).metadata["Name"] in pinned


# --- the Makefile --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md", "docs/installing.md"])
def test_targets_that_pages_name_exist(page: str) -> None:
    named = set(re.findall(r"(?:^ {4}|`)(?:\w+=\S+ )*make ([a-z]+)", (ROOT / page).read_text(), re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named
    assert named <= targets


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md", "docs/installing.md"])
def test_extras_that_pages_name_exist(page: str) -> None:
    named = re.findall(r"EXTRAS=\"?([a-z0-9 ]+)", (ROOT / page).read_text())
    listed = re.search(r"^ALL_EXTRAS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed is not None
    assert named
    assert {extra for words in named for extra in words.split()} <= set(listed[1].split())


def test_extras_are_pinned_as_the_rest() -> None:
    """Pin what an extra and the main list both name to the same version."""
    pin = re.compile(r"^([a-z0-9-]+)==(\S+)( ; .*)? \\$", re.MULTILINE)
    main = {(name, marker): version for name, version, marker in pin.findall((ROOT / "requirements.txt").read_text())}
    extras = [path for path in ROOT.glob("requirements-*.txt") if path.stem != "requirements-dev"]
    assert extras
    for path in extras:
        for name, version, marker in pin.findall(path.read_text()):
            assert main.get((name, marker), version) == version, f"{path.name}: {name}"


PAGES = pytest.mark.parametrize("page", ["docs/operations.md", "docs/installing.md"])


@PAGES
def test_commands_that_pages_name_exist(page: str) -> None:
    named = re.findall(r"manage\.py ([a-z_]+)", (ROOT / page).read_text())
    assert named
    assert set(named) <= set(get_commands())


@PAGES
def test_variables_that_pages_name_exist(page: str) -> None:
    """Check that each NAME=value in the text is a setting, or belongs to another program."""
    others = FOREIGN_VARIABLES | {"EXTRAS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
    others |= {"ROLES", "TENSORFLOW"}
    named = re.findall(r"\b([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*)=", (ROOT / page).read_text())
    assert named
    assert set(named) <= set(Environment.model_fields) | others
