"""The demo's hours: of minutes the one at the full hour, of ticks the newest of each symbol in the minute before it."""

from pathlib import Path

import pytest

from config.errors import Problem
from tests.cli.quotefiles import a_file, own
from tools import frames

HOUR, MINUTE = 3_600_000, 60_000


def test_ticks_give_the_newest_quote_of_each_symbol_before_the_full_hour(tmp_path: Path) -> None:
    ticks = [
        f"{HOUR - MINUTE},EURUSD,1.0,1.1",  # a minute old: too old
        f"{HOUR - 500},EURUSD,1.1,1.2",
        f"{HOUR - 400},GBPUSD,1.3,1.4",
        f"{HOUR - 100},EURUSD,1.2,1.3",
        f"{HOUR + 100},EURUSD,1.4,1.5",
        f"{2 * HOUR},EURUSD,1.5,1.6",
    ]
    first, second = frames.recorded(a_file(tmp_path, own(*ticks)))
    assert [(row.symbol, row.bid) for row in first.rows] == [("GBPUSD", "1.3"), ("EURUSD", "1.2")]
    assert first.time == first.rows[-1].time
    assert [(row.symbol, row.bid) for row in second.rows] == [("EURUSD", "1.5")]


def test_minutes_give_the_one_at_the_full_hour(tmp_path: Path) -> None:
    minutes = [f"{n * MINUTE},EURUSD,1.{n:04},2" for n in range(121)]
    assert [frame.rows[0].bid for frame in frames.recorded(a_file(tmp_path, own(*minutes)))] == [
        "1.0000",
        "1.0060",
        "1.0120",
    ]


def test_an_hour_without_quotes_has_no_frame_and_less_than_two_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="fewer than two hours"):
        frames.recorded(a_file(tmp_path, own("0,EURUSD,1,2", f"{5 * HOUR + 1},EURUSD,1,2")))
