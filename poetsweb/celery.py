"""Define the Celery application and its queues."""

import os
import sys
import warnings
from typing import Any

from celery import Celery, signals
from kombu.entity import Exchange, Queue
from kombu.transport import redis, virtual

from poetsweb.folders import PRIVATE_UMASK
from poetsweb.tracing import flush

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poetsweb.settings")

# See the queue of each kind in classifier.jobs.kinds; a test compares them.
QUEUES = ("ingest", "embed", "train", "untrusted")

# Celery warns of pickled messages when it runs as root, for example in a container; ours are JSON only.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")


class PatientQoS(redis.QoS):
    """What counts the messages that a worker has in hand.

    A message whose acknowledgement the broker did not take, because it hung, is done all the same: kombu's own count
    would keep it for ever, and the worker, which takes one at a time, would never take another. The broker sends it
    again some time, which does no harm.
    """

    def ack(self, delivery_tag: str) -> None:
        try:
            self._remove_from_indices(delivery_tag).execute()
        finally:
            virtual.QoS.ack(self, delivery_tag)


redis.Channel.QoS = PatientQoS

app = Celery("poetsweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]
# Connections to the database are kept from job to job, as long as CONN_MAX_AGE says: Celery would open one for each.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
app.autodiscover_tasks(["worker"], related_name="run")


@signals.celeryd_init.connect
def write_private_files(**_: Any) -> None:
    """Let other users of this machine read nothing that a worker writes."""
    os.umask(PRIVATE_UMASK)


signals.worker_process_shutdown.connect(flush)


@signals.setup_logging.connect
def use_our_logging(**_: Any) -> None:
    """Configure our logging. Celery configures none of its own if this signal has a receiver."""
    import logging.config

    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
