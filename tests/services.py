"""PostgreSQL, Redis and an S3 server for the tests, where `TEST_…` variables name them (`.ci/run` starts such).

They are for the tests alone: every process that runs tests and every site that a test starts has a database, a number
of Redis' databases and a bucket of its own there, so that tests do not meet.
"""

import atexit
import os
import uuid
from urllib.parse import urlsplit

PASSED_ON = {
    "TEST_S3_ENDPOINT_URL": "S3_ENDPOINT_URL",
    "TEST_S3_ACCESS_KEY": "AWS_ACCESS_KEY_ID",
    "TEST_S3_SECRET_KEY": "AWS_SECRET_ACCESS_KEY",
}


def given(name: str) -> str:
    return os.environ.get(name, "")


def process_services() -> dict[str, str]:
    """Return the settings of a process that runs tests; pytest-django copies its database for each."""
    return {
        "DATABASE_URL": given("TEST_DATABASE_URL"),
        "REDIS_URL": _own_redis(),
        "S3_BUCKET": _own_bucket(),
        **{setting: given(name) for name, setting in PASSED_ON.items() if given(name)},
    }


def site_services() -> dict[str, str]:
    """Return the settings of a site that a test starts; empty ones mean SQLite, Valkey and a folder."""
    return {**process_services(), "DATABASE_URL": _own_database()}


def _own_database() -> str:
    address = given("TEST_DATABASE_URL")
    if not address:
        return ""
    name = f"poetsweb_site_{uuid.uuid4().hex[:12]}"
    _ask_postgres(address, f"CREATE DATABASE {name}")
    atexit.register(_ask_postgres, address, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    return _with_path(address, name)


def _with_path(address: str, name: str) -> str:
    """Return the address of the database of this name on the same server."""
    return urlsplit(address)._replace(path=f"/{name}").geturl()


def _ask_postgres(address: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement.encode())


def _own_redis() -> str:
    """Return an emptied database; the number 0 holds the counter alone."""
    address = given("TEST_REDIS_URL")
    if not address:
        return ""
    import redis

    with redis.Redis.from_url(_with_path(address, "0")) as client:
        databases = int(client.config_get("databases")["databases"])
        number = 1 + client.incr("databases-given-to-tests") % (databases - 1)
    own = _with_path(address, str(number))
    with redis.Redis.from_url(own) as client:
        client.flushdb()
    return own


def _own_bucket() -> str:
    if not given("TEST_S3_BUCKET"):
        return ""
    import boto3

    name = f"{given('TEST_S3_BUCKET')}-{uuid.uuid4().hex[:12]}"
    boto3.client(
        "s3",
        endpoint_url=given("TEST_S3_ENDPOINT_URL") or None,
        aws_access_key_id=given("TEST_S3_ACCESS_KEY"),
        aws_secret_access_key=given("TEST_S3_SECRET_KEY"),
    ).create_bucket(Bucket=name)
    return name
