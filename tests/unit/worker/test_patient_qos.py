"""A worker whose broker hangs goes on when it is back."""

from types import SimpleNamespace
from typing import Any

import pytest
from kombu.transport import redis
from redis.exceptions import TimeoutError

from poetsweb.celery import PatientQoS

TAG = "a message"


def hang(*_: Any) -> Any:
    raise TimeoutError("Timeout reading from socket")


def test_message_that_the_broker_did_not_let_go_of_is_no_longer_in_hand() -> None:
    assert redis.Channel.QoS is PatientQoS  # which the workers use
    qos = PatientQoS(SimpleNamespace(do_restore=False), prefetch_count=1)
    qos._delivered[TAG] = "message"
    assert not qos.can_consume()
    qos._remove_from_indices = hang
    with pytest.raises(TimeoutError):  # Celery logs it
        qos.ack(TAG)
    assert qos.can_consume()
