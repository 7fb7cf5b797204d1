import psutil
import pytest

from bench import stolen
from bench.figures import Figure

CALM, RESTLESS = 0.01, 0.3


def figure(name: str, value: float, taken: float, *, ok: bool = True) -> Figure:
    return Figure(name, value, "s", 1.0, value, "value <= limit", ok, stolen=taken)


def test_only_what_was_disturbed_is_measured_again_whether_it_met_its_target_or_not() -> None:
    rounds = [
        [figure("a", 1, RESTLESS), figure("b", 2, CALM, ok=False), figure("c", 3, RESTLESS, ok=False)],
        [figure("a", 9, CALM, ok=False), figure("c", 4, RESTLESS + 0.1)],
        [figure("c", 5, RESTLESS - 0.1, ok=False)],
    ]
    asked = []

    def measure(names: list[str]) -> list[Figure]:
        asked.append(names)
        return rounds[len(asked) - 1]

    found = stolen.measure_undisturbed(measure, ["a", "b", "c"])
    assert asked == [["a", "b", "c"], ["a", "c"], ["c"]], "and never more than twice again"
    assert [(one.name, one.value) for one in found] == [("a", 9), ("b", 2), ("c", 5)], "the least disturbed counts"


def test_share_is_of_the_time_of_all_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 11.0])
    monkeypatch.setattr(stolen, "_stolen", lambda: next(times))
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(stolen.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    assert stolen.with_stolen(lambda: figure("a", 1, 0.0)).stolen == pytest.approx(1 / 20)


def test_system_that_does_not_tell_has_nothing_stolen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_times", lambda: object())
    assert stolen.with_stolen(lambda: figure("a", 1, RESTLESS)).stolen == 0
