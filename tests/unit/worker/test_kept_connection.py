"""Test that a worker keeps its connection to the database from job to job."""

from types import SimpleNamespace

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from poetsweb.celery import app


@pytest.mark.django_db(transaction=True)
def test_connection_outlives_a_task() -> None:
    worker, task = DjangoWorkerFixup(app), SimpleNamespace(request=SimpleNamespace(is_eager=False))
    connection.ensure_connection()
    kept = connection.connection
    worker.on_task_prerun(task)
    worker.on_task_postrun(task)
    assert connection.connection is kept
