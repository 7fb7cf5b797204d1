"""The environment: typed values, every wrong one told at once, and secrets that come in files."""

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, settings
from hypothesis import strategies as st

from poetsweb.env import SECRETS, Environment, read_environment

NO_FILE = Path("no such file")


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the tests themselves set; what a `.env` file adds is gone afterwards, too."""
    for name in (*Environment.model_fields, *(f"{name}_FILE" for name in SECRETS), "AWS_ACCESS_KEY_ID"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_nothing_set_gives_the_defaults() -> None:
    found = read_environment(NO_FILE)
    assert (found.PORT, found.DEBUG, found.SECRET_KEY) == (8000, False, None)


def test_empty_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("REDIS_URL", "")
    assert read_environment(NO_FILE).PORT == 8000


@pytest.mark.parametrize("word", ["1", "true", "Yes", " on "])
def test_words_for_true(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", word)
    assert read_environment(NO_FILE).DEBUG is True


def test_list_is_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example, b.example ,")
    assert read_environment(NO_FILE).ALLOWED_HOSTS == ["a.example", "b.example"]


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PORT": "80000", "DEBUG": "perhaps", "TIME_ZONE": "Mars", "POETSWEB_BACKBONE": "x"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured) as raised:
        read_environment(NO_FILE)
    said = str(raised.value)
    assert "PORT='80000' is not valid; write a whole number from 1 to 65535." in said
    assert "DEBUG='perhaps' is not valid; write true or false." in said
    assert "TIME_ZONE='Mars' is not valid; write the name of a time zone, such as Europe/Berlin." in said
    assert "POETSWEB_BACKBONE='x' is not valid; write one of " in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{data}", "holds the data folder of this site, or is in it"),
        ("{data}/files", "is in it"),
        ("{data}/../data/", "is in it"),
        ("/srv/photos,{above}", "{above} holds the data folder of this site"),
        ("{link}", "{link} holds the data folder of this site"),
        ("s3://poets/2026", "poets is S3_BUCKET, which holds the pictures of all users"),
        ("{above}/data-of-others,/srv/photos,s3://scans/poets", ""),
    ],
)
def test_sources_are_not_the_files_of_the_site(
    given: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"data": tmp_path / "data", "above": tmp_path, "link": tmp_path / "link"}
    places["data"].mkdir()
    places["link"].symlink_to(tmp_path)
    monkeypatch.setenv("POETSWEB_DATA", str(places["data"]))
    monkeypatch.setenv("S3_BUCKET", "poets")
    monkeypatch.setenv("IMPORT_FROM", given.format(**places))
    if not said:
        assert len(read_environment(NO_FILE).IMPORT_FROM) == 3
        return
    with pytest.raises(ImproperlyConfigured) as raised:
        read_environment(NO_FILE)
    assert said.format(**places) in str(raised.value)
    assert "write " in str(raised.value)


@pytest.mark.parametrize(
    ("name", "url", "sentence"),
    [
        ("DATABASE_URL", "mysql://root:hunter2@db/x", "DATABASE_URL must begin with postgres://, postgresql:// or"),
        ("REDIS_URL", "redis://:hunter2@host:port/0", "REDIS_URL has a port that is not a number."),
        ("WEIGHTS_URL", "file:///hunter2", "WEIGHTS_URL must begin with https:// or http://."),
    ],
)
def test_wrong_url_is_told_without_its_password(
    name: str, url: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(ImproperlyConfigured) as raised:
        read_environment(NO_FILE)
    assert str(raised.value).startswith(sentence)
    assert "hunter2" not in str(raised.value)


@settings(deadline=None)  # no test depends on how fast the machine is
@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1, max_size=300))
def test_any_text_is_a_port_or_a_sentence(text: str) -> None:
    os.environ["PORT"] = text
    said = ""
    try:
        assert 1 <= read_environment(NO_FILE).PORT <= 65535
    except ImproperlyConfigured as error:
        said = str(error)
    finally:
        del os.environ["PORT"]
    assert said == "" or "write a whole number from 1 to 65535." in said
    assert len(said) < 800


def test_shell_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=9000\nWEB_THREADS=3\nAWS_ACCESS_KEY_ID=for-boto3\n")
    monkeypatch.setenv("PORT", "9001")
    found = read_environment(tmp_path / ".env")
    assert (found.PORT, found.WEB_THREADS) == (9001, 3)
    assert os.environ["AWS_ACCESS_KEY_ID"] == "for-boto3"


def test_secret_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("k" * 60 + "\n")
    (tmp_path / "url").write_text("postgres://u:p@db/x\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    found = read_environment(NO_FILE)
    assert (found.SECRET_KEY, found.DATABASE_URL) == ("k" * 60, "postgres://u:p@db/x")


def test_what_a_secret_file_holds_is_checked_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("hunter2")
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(ImproperlyConfigured, match=r"^REDIS_URL must begin with") as raised:
        read_environment(NO_FILE)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "SECRET_KEY_FILE names a file that cannot be read: No such file or directory."),
        (b"", "SECRET_KEY_FILE names a file that is empty."),
        (b"\xff\xfe", "SECRET_KEY_FILE names a file that cannot be read: it is not text."),
    ],
)
def test_secret_file_that_cannot_be_used(
    content: bytes | None, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ImproperlyConfigured) as raised:
        read_environment(NO_FILE)
    assert str(raised.value) == sentence


def test_secret_and_its_file_cannot_both_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "x")
    monkeypatch.setenv("SECRET_KEY_FILE", "/run/secrets/key")
    with pytest.raises(ImproperlyConfigured, match=r"Both SECRET_KEY and SECRET_KEY_FILE are set"):
        read_environment(NO_FILE)


@pytest.mark.parametrize(
    "origin", ["app.example.org", "https://a.example/", "https://a.example/x", "ftp://a", "https://"]
)
def test_origin_is_a_scheme_and_a_host(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", f"https://ok.example:8443,{origin}")
    with pytest.raises(ImproperlyConfigured, match="write origins such as https:"):
        read_environment(NO_FILE)


@pytest.mark.parametrize("proxies", ["1", "10.0.0.7,10.1.0.0/16", "2001:db8::/32", ""])
def test_proxies_are_a_number_or_addresses(proxies: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", proxies)
    assert len(read_environment(NO_FILE).TRUSTED_PROXIES) == len(proxies.split(",")) - (not proxies)


@pytest.mark.parametrize("proxies", ["10", "proxy.example", "1,2", "10.0.0.1/8", "-1", "²"])
def test_other_proxies_are_told_what_to_write(proxies: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", proxies)
    with pytest.raises(ImproperlyConfigured, match="write the number of proxies, at most 9, or their addresses"):
        read_environment(NO_FILE)
