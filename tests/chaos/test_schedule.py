"""The schedule of faults: the same seed, the same faults at the same times."""

from itertools import pairwise

from tests.chaos.drill import commands
from tests.chaos.faults import KINDS
from tests.chaos.schedule import CALM_SECONDS, schedule


def test_the_same_seed_has_the_same_schedule_and_another_one_has_not() -> None:
    assert schedule(3, 5, KINDS) == schedule(3, 5, KINDS)
    assert schedule(3, 5, KINDS) != schedule(4, 5, KINDS)


def test_every_kind_of_fault_comes_in_ten_minutes_and_all_is_over_before_the_end() -> None:
    for seed in range(20):
        steps = schedule(seed, 10, KINDS)
        assert {step.fault for step in steps} == KINDS.keys()
        assert max(step.at + step.seconds for step in steps) <= 600 - CALM_SECONDS
        for before, after in pairwise(steps):
            assert before.at + before.seconds < after.at


def test_a_longer_run_of_the_same_seed_begins_like_the_shorter_one() -> None:
    short, long = schedule(7, 2, KINDS), schedule(7, 4, KINDS)
    assert long[: len(short)] == short


def test_the_page_about_backups_has_the_commands_of_the_drill() -> None:
    assert list(commands()) == ["archive", "backup", "switch", "restore", "verify"]
