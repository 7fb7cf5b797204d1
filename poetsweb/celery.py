"""The Celery application: three queues, and a sign of life of every worker in the cache."""

import os
import warnings
from typing import Any

from celery import Celery, signals
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poetsweb.settings")

QUEUES = ("ingest", "embed", "train")  # see the queue of each kind in classifier.jobs.kinds; a test compares them

# Celery warns those who run it as root (in a container, say) of pickled messages; ours are JSON only.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")

app = Celery("poetsweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]
app.autodiscover_tasks(["worker"], related_name="run")


@signals.setup_logging.connect
def use_our_logging(**_: Any) -> None:
    """Celery configures no logging of its own when this signal has a receiver."""
    import logging.config

    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@signals.heartbeat_sent.connect
def tell_alive(sender: Any, **_: Any) -> None:
    """Every two seconds, from the worker's main process: I live, and these are my queues."""
    from classifier.workers import record_worker

    consumer = sender.eventer  # the heart knows its event dispatcher, which knows the worker's name
    record_worker(consumer.hostname, sorted(app.amqp.queues.consume_from))
