"""The made-up quotes: the same for the same seed, and such as the desk takes."""

from datetime import UTC, datetime, timedelta
from itertools import islice

from cli.generator import SHAPES, GeneratedQuote, walk
from domain.money import AMOUNT_UNIT
from domain.quotes import Quote, fault

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
STEP = timedelta(minutes=1)


def rounds(count: int, seed: int = 1) -> list[list[GeneratedQuote]]:
    return list(islice(walk(seed, tuple(SHAPES), START, STEP), count))


def test_a_seed_is_a_market_and_another_seed_is_another() -> None:
    assert rounds(50) == rounds(50)
    assert rounds(50) != rounds(50, seed=2)


def test_two_walks_side_by_side_do_not_disturb_each_other() -> None:
    left, right = walk(1, ("EURUSD",), START, STEP), walk(1, ("EURUSD",), START, STEP)
    pairs = [(next(left), next(right)) for _ in range(20)]
    assert all(mine == yours for mine, yours in pairs)


def test_each_round_quotes_every_symbol_a_step_later() -> None:
    for number, rows in enumerate(rounds(3)):
        assert [row.symbol for row in rows] == list(SHAPES)
        assert {row.time for row in rows} == {START + number * STEP}


def test_every_quote_is_one_the_desk_takes_and_stays_near_its_start() -> None:
    for rows in rounds(20_000):
        for row in rows:
            assert fault(Quote(*row), AMOUNT_UNIT, None, None) is None, row
            assert abs(row.bid / SHAPES[row.symbol].price - 1) < 1, row


def test_prices_end_on_either_side_of_where_they_began() -> None:
    for symbol, shape in SHAPES.items():
        ends = [next(islice(walk(seed, (symbol,), START, STEP), 1000, None))[0].bid for seed in range(40)]
        assert 10 <= sum(end < shape.price for end in ends) <= 30, symbol
