"""The guard of an instrument: what it finds suspect, what confirms a held quote and what ends it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.instruments import Guard, GuardMode, InstrumentKind
from domain.quote_guard import DEFAULTS, GuardOutcome, QuoteFinding, Watch, finding_of, is_ordinary, step
from domain.quotes import Quote

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOLD = Guard(GuardMode.HOLD, Decimal(5), 60, Decimal(2), 900)
WARN = replace(HOLD, mode=GuardMode.WARN)
OFF = replace(HOLD, mode=GuardMode.OFF)


def a_quote(mid: str, seconds: float, spread: str = "0") -> Quote:
    half = Decimal(spread) / 2
    return Quote("EURUSD", Decimal(mid) - half, Decimal(mid) + half, START + timedelta(seconds=seconds))


Told = list[tuple[GuardOutcome, QuoteFinding]]


def play(guard: Guard, quotes: Iterable[Quote | tuple[Quote, str]]) -> tuple[list[bool], Told, Watch]:
    """Which quotes are accepted, what is noted, and the state at the end; a quote alone is of the source `a`."""
    watch, accepted, told = Watch(), list[bool](), Told()
    for one in quotes:
        quote, source = one if isinstance(one, tuple) else (one, "a")
        after = step(watch, guard, quote, source)
        watch = after.watch
        accepted.append(after.accepted)
        told += [(note.outcome, note.finding) for note in after.notes]
    return accepted, told, watch


HELD, CONFIRMED, DROPPED, WARNED = GuardOutcome.HELD, GuardOutcome.CONFIRMED, GuardOutcome.DROPPED, GuardOutcome.WARNED
MOVE, SPREAD, FROZEN = QuoteFinding.MOVE, QuoteFinding.SPREAD, QuoteFinding.FROZEN
CASES: list[tuple[str, Guard, Sequence[Quote | tuple[Quote, str]], str, Told]] = [
    (
        "a tenfold quote for 0.3 s is held and dropped",
        HOLD,
        [a_quote("1.1", 0), a_quote("11", 1), a_quote("1.1001", 1.3)],
        "+-+",
        [(HELD, MOVE), (DROPPED, MOVE)],
    ),
    (
        "a tenth is as far as tenfold",
        HOLD,
        [a_quote("1.1", 0), a_quote("0.11", 1), a_quote("1.1", 2)],
        "+-+",
        [(HELD, MOVE), (DROPPED, MOVE)],
    ),
    (
        "a crash is confirmed by the second quote",
        HOLD,
        [a_quote("1.1", 0), a_quote("0.9", 1), a_quote("0.91", 2), a_quote("0.9", 3)],
        "+-++",
        [(HELD, MOVE), (CONFIRMED, MOVE)],
    ),
    (
        "a second source confirms at once, whatever its clock",
        HOLD,
        [a_quote("1.1", 0), (a_quote("0.9", 1), "a"), (a_quote("0.9", 0.5), "b")],
        "+-+",
        [(HELD, MOVE), (CONFIRMED, MOVE)],
    ),
    (
        "a quote that is sent again does not confirm itself",
        HOLD,
        [a_quote("1.1", 0), a_quote("11", 1), a_quote("11", 1), a_quote("1.1", 2)],
        "+--+",
        [(HELD, MOVE), (DROPPED, MOVE)],
    ),
    (
        "another quote of the same moment does not confirm",
        HOLD,
        [a_quote("1.1", 0), a_quote("11", 1), a_quote("11.1", 1)],
        "+--",
        [(HELD, MOVE), (DROPPED, MOVE), (HELD, MOVE)],
    ),
    (
        "two wild quotes that differ do not confirm each other",
        HOLD,
        [a_quote("1.1", 0), a_quote("11", 1), a_quote("0.11", 2), a_quote("1.1", 3)],
        "+--+",
        [(HELD, MOVE), (DROPPED, MOVE), (HELD, MOVE), (DROPPED, MOVE)],
    ),
    (
        "after a gap as long as a weekend any move is accepted",
        HOLD,
        [a_quote("1.1", 0), a_quote("1.3", 2 * 86_400)],
        "++",
        [],
    ),
    (
        "a held quote that nothing decides is dropped when its time is over",
        HOLD,
        [a_quote("1.1", 0), a_quote("11", 1), a_quote("11", 120)],
        "+-+",
        [(HELD, MOVE), (DROPPED, MOVE)],
    ),
    (
        "a wide spread is held, and once confirmed it lasts",
        HOLD,
        [a_quote("1.1", 0), *(a_quote("1.1", n, "0.1") for n in (1, 2, 3)), a_quote("1.1", 4)],
        "+-+++",
        [(HELD, SPREAD), (CONFIRMED, SPREAD)],
    ),
    (
        "a wide spread hides no move",
        HOLD,
        [a_quote("1.1", 0), *(a_quote("1.1", n, "0.1") for n in (1, 2)), a_quote("11", 3, "1")],
        "+-+-",
        [(HELD, SPREAD), (CONFIRMED, SPREAD), (HELD, MOVE)],
    ),
    (
        "the first quote of a symbol has nothing to be far from",
        HOLD,
        [a_quote("1000", 0)],
        "+",
        [],
    ),
    (
        "a price that stands still does not confirm itself, and any other ends it",
        HOLD,
        [a_quote("1.1", n) for n in range(0, 1201, 100)] + [a_quote("1.1001", 1300)],
        "+++++++++----+",
        [(HELD, FROZEN), *[(DROPPED, FROZEN), (HELD, FROZEN)] * 3, (DROPPED, FROZEN)],
    ),
    (
        "a second source confirms a price that stands still, and the time begins anew",
        HOLD,
        [a_quote("1.1", 0), a_quote("1.1", 899), a_quote("1.1", 900), (a_quote("1.1", 901), "b"), a_quote("1.1", 902)],
        "++-++",
        [(HELD, FROZEN), (CONFIRMED, FROZEN)],
    ),
    (
        "the price of Friday night may be that of Sunday night",
        HOLD,
        [a_quote("1.1", 0), a_quote("1.1", 2 * 86_400), a_quote("1.1", 2 * 86_400 + 899)],
        "+++",
        [],
    ),
    (
        "a guard that warns accepts",
        WARN,
        [a_quote("1.1", 0), a_quote("11", 1), a_quote("1.1", 2)],
        "+++",
        [(WARNED, MOVE), (WARNED, MOVE)],
    ),
    (
        "a guard that is off looks at nothing",
        OFF,
        [a_quote("1.1", 0), a_quote("11", 1), a_quote("1.1", 2, "1")],
        "+++",
        [],
    ),
    (
        "a figure of 0 is not looked at",
        Guard(GuardMode.HOLD),
        [a_quote("1.1", 0), a_quote("11", 1), a_quote("11", 5000, "5")],
        "+++",
        [],
    ),
]


@pytest.mark.parametrize(("guard", "quotes", "signs", "told"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_the_guard(guard: Guard, quotes: Sequence[Quote | tuple[Quote, str]], signs: str, told: Told) -> None:
    accepted, noted, _ = play(guard, quotes)
    assert "".join("+" if one else "-" for one in accepted) == signs
    assert noted == told


def news(guard: Guard, quotes: Iterable[Quote]) -> list[GuardOutcome]:
    """What is told of the quotes of one source."""
    watch, told = Watch(), list[GuardOutcome]()
    for quote in quotes:
        after = step(watch, guard, quote, "a")
        watch = after.watch
        told += [note.outcome for note in after.notes if note.is_news]
    return told


def test_a_state_is_news_when_it_begins_and_when_it_ends() -> None:
    assert news(HOLD, [a_quote("1.1", 100 * n) for n in range(20)]) == [HELD]
    assert news(HOLD, [a_quote("1.1", 100 * n) for n in range(20)] + [a_quote("1.2", 2000)]) == [HELD, DROPPED]
    assert news(WARN, [a_quote("1.1", n, "0.1") for n in range(20)]) == [WARNED]


def test_a_guard_that_is_switched_off_lets_go_of_what_it_held() -> None:
    _, _, watch = play(HOLD, [a_quote("1.1", 0), a_quote("11", 1)])
    after = step(watch, OFF, a_quote("11", 2), "a")
    assert (after.accepted, after.watch.suspect) == (True, None)
    assert [note.outcome for note in after.notes] == [DROPPED]


def test_every_kind_has_a_guard_that_warns_and_that_no_usual_minute_trips() -> None:
    assert DEFAULTS.keys() == set(InstrumentKind)
    for guard in DEFAULTS.values():
        assert guard.mode is GuardMode.WARN
        quotes = [a_quote(mid, n, "0.01") for n, mid in enumerate(("1", "1.02", "0.99", "1"))]
        assert play(guard, quotes)[1] == []


prices = st.decimals("0.01", "1000", places=2)
ticks = st.lists(st.tuples(prices, st.integers(0, 100), st.sampled_from("ab")), max_size=30)
guards = st.builds(
    Guard,
    st.sampled_from(GuardMode),
    st.decimals(0, 200, places=1),
    st.integers(1, 300),
    st.decimals(0, 50, places=1),
    st.integers(0, 300),
)


@given(guards, ticks)
def test_whatever_comes_every_quote_has_one_end_and_nothing_suspect_is_accepted_unconfirmed(
    guard: Guard, ticks: list[tuple[Decimal, int, str]]
) -> None:
    watch, at = Watch(), START
    held = ended = 0
    for price, seconds, source in ticks:
        at += timedelta(seconds=seconds)
        quote = Quote("EURUSD", price, price + price / 50, at)
        finding = finding_of(replace(watch, suspect=None) if _is_over(watch, guard, at) else watch, guard, quote)
        after = step(watch, guard, quote, source)
        outcomes = [note.outcome for note in after.notes]
        held += outcomes.count(HELD)
        ended += outcomes.count(DROPPED) + outcomes.count(CONFIRMED)
        assert ended == held - (after.watch.suspect is not None)
        if after.accepted:
            assert after.watch.last == quote
            lasts = finding is SPREAD and watch.finding is SPREAD
            assert guard.mode is not GuardMode.HOLD or finding is None or lasts or CONFIRMED in outcomes
        else:
            assert guard.mode is GuardMode.HOLD
            assert after.watch.last == watch.last
            assert after.watch.suspect is not None
        watch = after.watch


def _is_over(watch: Watch, guard: Guard, at: datetime) -> bool:
    """Has the held quote waited for longer than the guard allows?"""
    if watch.suspect is None:
        return False
    frozen = guard.frozen_seconds if watch.suspect.finding is FROZEN else 0
    return at - watch.suspect.quote.source_time > timedelta(seconds=max(guard.move_seconds, frozen))


@given(
    st.sampled_from([HOLD, WARN, OFF, replace(HOLD, move_pct=Decimal(0)), replace(WARN, spread_pct=Decimal(0))]),
    st.lists(
        st.tuples(
            st.integers(900, 1100), st.integers(0, 25), st.integers(0, 400), st.booleans()
        ),
        min_size=1, max_size=8,
    ),
)  # fmt: skip
def test_an_ordinary_quote_is_one_of_which_a_step_has_nothing_to_note(
    guard: Guard, quotes: Sequence[tuple[int, int, int, bool]]
) -> None:
    watch, seconds = Watch(), 0
    for mid, spread, later, is_far in quotes:
        seconds += later
        quote = a_quote(str(Decimal(mid) * (2 if is_far else 1) / 1000), seconds, str(Decimal(spread) / 1000))
        after = step(watch, guard, quote, "a")
        if is_ordinary(watch, guard, quote):
            assert after == (Watch(quote, quote.source_time), True, ())
        watch = after.watch
