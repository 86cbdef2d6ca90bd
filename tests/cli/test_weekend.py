"""The demo's weekend in euros: read from the quotes, planned so that its stop-loss fills, left out without one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tools import frames, weekend
from tools.bots import Frame

FRIDAY = datetime(2026, 10, 2, 20, tzinfo=UTC)


def _frames(*mids: tuple[int, dict[str, int]]) -> list[Frame]:
    """Frames so many hours after Friday evening."""
    return [
        Frame(FRIDAY + timedelta(hours=hours), (), {symbol: Decimal(mid) for symbol, mid in quoted.items()})
        for hours, quoted in mids
    ]


def _a_weekend(*coins: int, hours: int = 6) -> list[Frame]:
    before = [(-1, {"EURUSD": 1, "BTCUSD": 9_000}), (0, {"EURUSD": 1, "BTCUSD": 10_000})]
    silent = [(hours * n, {"BTCUSD": coin}) for n, coin in enumerate(coins, 1)]
    return _frames(*before, *silent, (hours * (len(coins) + 1), {"EURUSD": 1}))


@pytest.mark.parametrize(
    ("coins", "side", "stop_loss"),
    [((9_900, 9_950, 9_500, 9_800), "LONG", 9_700), ((10_100, 9_950, 10_500, 10_000), "SHORT", 10_300)],
)
def test_it_trades_against_the_weekend_with_a_stop_loss_on_the_way(
    coins: tuple[int, ...], side: str, stop_loss: int
) -> None:
    assert weekend.plan(_a_weekend(*coins)) == weekend.Weekend("BTCUSD", side, 1, 2, 5, Decimal(stop_loss))


@pytest.mark.parametrize(
    "quotes",
    [
        _a_weekend(9_900, 9_500, hours=1),  # a pause of a few hours is no weekend
        _a_weekend(9_900, 9_899, 9_900, 9_900),  # too quiet
        _a_weekend(9_900, hours=30),  # quoted once
        _frames((-1, {"BTCUSD": 9}), (0, {"BTCUSD": 8}), (40, {"BTCUSD": 7})),  # without the rate
    ],
)
def test_quotes_without_such_a_weekend_have_none(quotes: list[Frame]) -> None:
    assert weekend.plan(quotes) is None


def test_at_made_up_weekends_the_coin_alone_is_quoted_and_the_first_is_played() -> None:
    made_up = frames.made_up()
    planned = weekend.plan(made_up)
    assert planned
    assert (planned.symbol, made_up[planned.opens_at].time) == ("BTCUSD", FRIDAY)
    silent = made_up[planned.opens_at + 1 : planned.ends_at + 1]
    assert [set(frame.mids) for frame in silent] == [{"BTCUSD"}] * 8
