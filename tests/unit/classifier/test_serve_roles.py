"""`serve` with roles runs a part of a site that is on several machines."""

from typing import Any

import pytest
from django.core.management import CommandError

from classifier.management.commands.serve import choose, processes


def test_without_roles_all_run() -> None:
    assert choose([]) == processes()


def test_only_the_named_roles_run(settings: Any) -> None:
    settings.REDIS_URL = "redis://broker.example:6379/0"
    assert list(choose(["trainer", "worker"])) == ["worker", "trainer"]


def test_a_part_of_a_site_needs_a_broker_that_others_reach(settings: Any) -> None:
    settings.REDIS_URL = ""
    with pytest.raises(CommandError, match="set REDIS_URL"):
        choose(["worker"])


def test_an_unknown_role_is_told_with_those_that_there_are(settings: Any) -> None:
    with pytest.raises(CommandError, match="no role “wroker”; the roles are web, worker, trainer, opener, reaper"):
        choose(["wroker"])
