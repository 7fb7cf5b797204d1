"""On a site that others reach, only whoever reads its log becomes the administrator."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from classifier.models import SetUpCode
from classifier.services.accounts import NotAllowed
from classifier.services.set_up import WrongCode, create_administrator, current_code
from tests.site import ROOT
from tests.unit.classifier.conftest import PASSWORD

ACCOUNT = {"username": "ada", "password1": PASSWORD, "password2": PASSWORD}

pytestmark = pytest.mark.django_db


@pytest.fixture
def _exposed(settings: Any) -> None:
    settings.EXPOSED = True


@pytest.mark.usefixtures("_exposed")
@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA", "é", None])
def test_stranger_without_the_code_gets_no_account(code: str | None, client: Client) -> None:
    page = client.get(reverse("set_up")).content.decode()
    assert "Code from the log" in page
    assert current_code() not in page
    answer = client.post(reverse("set_up"), {**ACCOUNT, **({} if code is None else {"code": code})})
    assert answer.status_code == 422
    assert 'id="id_code_error"' in answer.content.decode()
    assert not User.objects.exists()
    assert "_auth_user_id" not in client.session


@pytest.mark.usefixtures("_exposed")
@pytest.mark.parametrize("write", [str, str.lower, lambda code: f" {code.replace('-', ' ')} "])
def test_code_opens_the_site_once(write: Any, client: Client) -> None:
    code = current_code()
    answer = client.post(reverse("set_up"), {**ACCOUNT, "code": write(code)})
    assert answer["Location"] == reverse("project_list")
    assert User.objects.get().is_superuser
    assert not SetUpCode.objects.exists()
    User.objects.all().delete()
    assert current_code() != code
    with pytest.raises(WrongCode):
        create_administrator("eve", PASSWORD, code)


def test_own_machine_asks_for_no_code(client: Client) -> None:
    assert "Code from the log" not in client.get(reverse("set_up")).content.decode()
    assert client.post(reverse("set_up"), ACCOUNT)["Location"] == reverse("project_list")


@pytest.mark.usefixtures("_exposed")
def test_code_is_the_same_for_all_processes_and_not_in_the_database() -> None:
    code = current_code()
    assert current_code() == code
    assert code.replace("-", "").lower() not in SetUpCode.objects.get().nonce
    with pytest.raises(IntegrityError):
        SetUpCode.objects.create(pk=2, nonce="x")


@pytest.mark.usefixtures("_exposed")
def test_code_of_another_secret_key_is_another(settings: Any) -> None:
    code = current_code()
    settings.SECRET_KEY = "another"
    assert current_code() != code


@pytest.mark.usefixtures("_exposed")
def test_code_does_not_help_once_there_is_an_account(owner: User, client: Client) -> None:
    with pytest.raises(NotAllowed, match="already has an administrator"):
        create_administrator("eve", PASSWORD, current_code())
    assert client.get(reverse("set_up"))["Location"] == reverse("project_list")


@pytest.mark.usefixtures("_exposed")
def test_log_shows_the_code_until_there_is_an_account(caplog: pytest.LogCaptureFixture) -> None:
    call_command("set_up_code")
    assert current_code() in caplog.text
    caplog.clear()
    User.objects.create_user("owner")
    call_command("set_up_code", verbosity=0)
    assert caplog.text == ""


def test_own_machine_logs_no_code(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("set_up_code")
    assert caplog.text == ""
    assert "No code is needed" in capsys.readouterr().out


def test_web_server_logs_the_code_at_its_start(tmp_path: Any) -> None:
    """Run what gunicorn calls, on a site that has no tables yet and then on an empty one."""
    env = {**os.environ, "POETSWEB_DATA": str(tmp_path), "HOST": "0.0.0.0", "DATABASE_URL": ""}
    start = "from unittest.mock import Mock; from poetsweb import gunicorn; import django; django.setup(); "
    command = [
        sys.executable,
        "-c",
        start + "server = Mock(LISTENERS=[]); gunicorn.when_ready(server); print(server.mock_calls)",
    ]
    before = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert before.returncode == 1
    assert before.stderr.strip().splitlines()[-1].startswith("PoetsWeb cannot start: ")
    migrate = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(migrate, cwd=ROOT, env=env, check=True)
    after = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert "enter the code " in after.stderr
    assert after.stdout.strip() == "[]"
