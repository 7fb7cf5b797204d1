"""The settings refuse what cannot work, in a sentence that says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import ROOT

WITHOUT_BOTO3 = "import runpy, sys; sys.modules['boto3'] = None; sys.argv = ['manage.py', 'diffsettings']; "
RUN = "runpy.run_path('manage.py', run_name='__main__')"


@pytest.mark.parametrize(("bucket", "status"), [("poets", 1), ("", 0)])
def test_bucket_without_its_package_says_what_to_install(bucket: str, status: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BOTO3 + RUN],
        cwd=ROOT,
        env={**os.environ, "S3_BUCKET": bucket, "POETSWEB_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stderr
    if bucket:
        (said,) = done.stderr.splitlines()
        assert said.startswith(
            "PoetsWeb cannot start: A bucket is configured, and the package boto3 is missing; install it"
        )
        assert "make run EXTRAS=s3" in said


SHOW = "import poetsweb.settings as s; print(s.EXPOSED, s.SIGNUP)"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HOST": ""}, "False open"),
        ({"HOST": "127.0.0.2"}, "False open"),
        ({"HOST": "::1"}, "False open"),
        ({"HOST": "localhost"}, "False open"),
        ({"HOST": "localhost", "POETSWEB_SIGNUP": "false"}, "False closed"),
        ({"HOST": "0.0.0.0"}, "True closed"),
        ({"HOST": "::"}, "True closed"),
        ({"HOST": "poets.example.org"}, "True closed"),
        ({"HOST": "0.0.0.0", "POETSWEB_SIGNUP": "true"}, "True open"),
        ({"HOST": "0.0.0.0", "POETSWEB_SIGNUP": "invitation"}, "True invitation"),
        ({"BEHIND_PROXY": "true"}, "True closed"),
        ({"TRUSTED_PROXIES": "1"}, "True closed"),
    ],
)
def test_sign_up_is_closed_where_others_reach_the_site(given: dict[str, str], said: str, tmp_path: Path) -> None:
    environment = {**os.environ, "POETSWEB_DATA": str(tmp_path), "BEHIND_PROXY": "", "TRUSTED_PROXIES": "", **given}
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == said, done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"SIGNUP_DOMAINS": "School.org, bücher.example", "MAIL_URL": "smtp://mail"},
            "school.org xn--bcher-kva.example",
        ),
        ({"SIGNUP_DOMAINS": "school.org"}, "POETSWEB_SIGNUP=domain needs SIGNUP_DOMAINS"),
        ({"MAIL_URL": "smtp://mail"}, "POETSWEB_SIGNUP=domain needs SIGNUP_DOMAINS"),
        ({"SIGNUP_DOMAINS": "anna@school.org", "MAIL_URL": "smtp://mail"}, "write domains such as school.org"),
        ({"SIGNUP_DOMAINS": "school.org.", "MAIL_URL": "smtp://mail"}, "write domains such as school.org"),
        ({"SIGNUP_DOMAINS": "*.school.org", "MAIL_URL": "smtp://mail"}, "write domains such as school.org"),
    ],
)
def test_sign_up_by_domain_needs_domains_and_mail(given: dict[str, str], said: str, tmp_path: Path) -> None:
    environment = {**os.environ, "POETSWEB_DATA": str(tmp_path), "POETSWEB_SIGNUP": "domain", **given}
    code = "import poetsweb.settings as s; print(*s.SIGNUP_DOMAINS)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert said in done.stdout + done.stderr
    assert (done.returncode == 0) == (said in done.stdout)


@pytest.mark.parametrize(
    ("given", "without", "said"),
    [
        ({"OIDC_ISSUER": "https://login.school.org", "OIDC_CLIENT_ID": "poets"}, "authlib", "make run EXTRAS=oidc"),
        ({"OIDC_ISSUER": "https://login.school.org"}, "", "OIDC_ISSUER needs OIDC_CLIENT_ID"),
        ({"OIDC_ISSUER": "http://login.school.org", "OIDC_CLIENT_ID": "poets"}, "", "must begin with https://"),
        ({"OIDC_ISSUER": "http://127.0.0.1:8080", "OIDC_CLIENT_ID": "poets"}, "", ""),
        ({}, "authlib", ""),
        ({"LDAP_URL": "ldaps://ldap", "LDAP_SEARCH": "dc=org"}, "django_auth_ldap", "make run EXTRAS=ldap"),
        ({"LDAP_URL": "ldaps://ldap"}, "", "LDAP_URL needs LDAP_SEARCH"),
        ({"LDAP_URL": "ldap://ldap", "LDAP_SEARCH": "dc=org"}, "", "everybody on the way could read the passwords"),
        ({"LDAP_URL": "ldaps://a ldap://b", "LDAP_SEARCH": "dc=org"}, "", "LDAP_URL names one directory"),
        ({"LDAP_URL": "http://ldap"}, "", "LDAP_URL must begin with ldaps://, ldap:// or ldapi://"),
        ({"LDAP_FILTER": "(uid=anna)"}, "", "write a filter with %(user)s in it"),
        ({"LDAP_FILTER": "(uid=%(user)s)(x=%s)"}, "", "write a filter with %(user)s in it"),
        ({}, "django_auth_ldap", ""),
    ],
)
def test_identity_provider_that_cannot_be_used_is_refused(
    given: dict[str, str], without: str, said: str, tmp_path: Path
) -> None:
    hidden = f"sys.modules[{without!r}] = None; " if without else ""
    done = subprocess.run(
        [sys.executable, "-c", f"import runpy, sys; {hidden}sys.argv = ['manage.py', 'diffsettings']; {RUN}"],
        cwd=ROOT,
        env={**os.environ, "POETSWEB_DATA": str(tmp_path), **given},
        capture_output=True,
        text=True,
    )
    assert said in done.stderr
    assert (done.returncode == 0) == (not said), done.stderr
