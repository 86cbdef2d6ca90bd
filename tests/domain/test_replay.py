"""Replaying what remains of an account's fills: against an implementation that re-runs them in fractions."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.money import ONE, ZERO, round18
from domain.orders import Fill, Verb
from domain.positions import Side
from domain.replay import Replay, replay
from tests.domain.builders import NOON

BOOKED_WITHIN = Fraction(1, 10**8)  # a fill of the first edition rounds in the quote currency, then in the account's
FEE_BPS = Decimal("2.5")

quantities = st.integers(1, 10**7).map(lambda n: Decimal(n).scaleb(-2))
prices = st.integers(1, 10**9).map(lambda n: Decimal(n).scaleb(-5))
moves = st.tuples(
    st.sampled_from([("EURUSD", Side.LONG), ("EURUSD", Side.SHORT), ("EURGBP", Side.LONG)]),
    st.sampled_from(["ADD", "ADD", "REDUCE", "CLOSE"]),
    quantities,
    prices,
)
RATES = {"EURUSD": ONE, "EURGBP": round18(Decimal(4) / 3)}


def a_fill(seq: int, verb: str, quantity: str, price: str = "1", **changes: object) -> Fill:
    """A long in EURUSD, of the position that seq 2 opened, for a fee of 1: whatever was booked before."""
    fill = Fill(
        1001, seq, seq - 1, 2, "EURUSD", Side.LONG, Verb(verb), Decimal(quantity), Decimal(price), ONE, ONE, ZERO,
        NOON + timedelta(seconds=seq), seq, NOON,
    )  # fmt: skip
    return replace(fill, **changes)  # type: ignore[arg-type]


def booked(journey: Sequence[tuple[tuple[str, Side], str, Decimal, Decimal]]) -> list[Fill]:
    """The moves as the desk would book them: OPEN where it is flat, never more closed than is open."""
    held: dict[tuple[str, Side], tuple[int, Decimal]] = {}
    fills: list[Fill] = []
    for place, (key, move, quantity, price) in enumerate(journey):
        seq = 4 * place + 4
        position, there = held.get(key, (seq + 1, ZERO))
        verb = {"ADD": Verb.INCREASE if there else Verb.OPEN, "REDUCE": Verb.REDUCE, "CLOSE": Verb.CLOSE}[move]
        if not verb.adds and not there:
            continue
        size = quantity if verb.adds else there if move == "CLOSE" else min(quantity, there)
        held[key] = position, there + (size if verb.adds else -size)
        if not held[key][1]:
            del held[key]
        changes = {"symbol": key[0], "side": key[1], "rate": RATES[key[0]], "position_seq": position, "fee": price}
        fills.append(a_fill(seq, verb, str(size), str(price), **changes))
    return fills


@dataclass
class Run:
    """A holding from flat to flat, in fractions."""

    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    seqs: list[int] = field(default_factory=list)


def rerun(fills: Sequence[Fill]) -> tuple[list[Run], dict[int, Fraction], set[int]]:
    """Nothing but the fills, from nothing: the holdings, what each fill realised, and those that find too little."""
    runs: list[Run] = []
    held: dict[tuple[str, Side], Run] = {}
    realised: dict[int, Fraction] = {}
    uncovered: set[int] = set()
    for fill in fills:
        quantity, price, rate = Fraction(fill.quantity), Fraction(fill.price), Fraction(fill.rate)
        run = held.get((fill.symbol, fill.side)) or Run()
        if not fill.verb.adds and quantity > run.quantity:
            uncovered.add(fill.seq)
            continue
        if not run.seqs:
            runs.append(run)
            held[fill.symbol, fill.side] = run
        run.seqs.append(fill.seq)
        released = -quantity * price if fill.verb.adds else run.cost * quantity / run.quantity
        sign = 1 if fill.side is Side.LONG else -1
        realised[fill.seq] = Fraction(0) if fill.verb.adds else (quantity * price - released) * sign * rate
        run.quantity += quantity if fill.verb.adds else -quantity
        run.cost -= released
        if not run.quantity:
            del held[fill.symbol, fill.side]
    return runs, realised, uncovered


def upgraded(fills: Sequence[Fill], early: int) -> list[Fill]:
    """The first so many were booked by the first edition."""
    return [replace(fill, cumulative=place >= early) for place, fill in enumerate(fills)]


journeys = st.builds(
    upgraded, st.lists(moves, min_size=1, max_size=30).map(booked), st.one_of(st.just(0), st.integers(0, 30))
)
waves = st.lists(st.integers(0, 4), max_size=30)
"""For each fill the void that takes it away; 0 or missing: it stays."""


def without(fills: Sequence[Fill], waves: Sequence[int], *taken: int) -> list[Fill]:
    """What remains after those voids."""
    gone = {fill.seq for fill, wave in zip(fills, waves, strict=False) if wave in taken}
    return [fill for fill in fills if fill.seq not in gone]


@settings(max_examples=300)
@given(journeys, waves)
def test_what_remains_comes_to_what_running_it_from_nothing_comes_to(fills: list[Fill], waves: list[int]) -> None:
    remaining = without(fills, waves, 1)
    done, (runs, realised, uncovered) = replay(remaining, FEE_BPS), rerun(remaining)
    assert {fill.seq for fill in done.uncovered} == uncovered
    assert {fill.seq for fill in done.fills} == realised.keys()
    for fill in done.fills:
        assert abs(Fraction(fill.realised) - realised[fill.seq]) <= BOOKED_WITHIN * (1 + Fraction(fill.rate))
    names = [done.fills[[f.seq for f in done.fills].index(run.seqs[0])].position_seq for run in runs]
    assert sorted(names) == sorted(done.positions), "every holding has a name of its own"
    for name, run in zip(names, runs, strict=True):
        position = done.positions[name]
        assert Fraction(position.quantity) == run.quantity
        assert abs(Fraction(position.cost_basis) - run.cost) < Fraction(1, 10**12)
        of_run = [fill for fill in done.fills if fill.seq in run.seqs]
        assert {fill.position_seq for fill in of_run} == {name}
        assert position.realised == sum(fill.realised for fill in of_run)
        assert position.fees == sum(fill.fee for fill in of_run)
        assert position.opened_at == of_run[0].filled_at
        assert position.closed_at == (None if run.quantity else of_run[-1].filled_at)
    assert done.realised == sum(fill.realised for fill in done.fills)
    assert done.fees == sum(fill.fee for fill in done.fills)
    assert set(done.holdings.values()) == {p for p in done.positions.values() if p.quantity}


@given(journeys, waves)
def test_a_replay_of_a_replay_is_the_same(fills: list[Fill], waves: list[int]) -> None:
    """Whatever is voided, in one go or one after the other: computing again finds nothing to correct."""
    once = replay(fills, FEE_BPS)
    assert once.uncovered == ()
    for wave in (1, 2, 3, 4):
        gone = {fill.seq for fill in fills} - {fill.seq for fill in without(fills, waves, wave)}
        once = replay([fill for fill in once.fills if fill.seq not in gone], FEE_BPS)
        again = replay(once.fills, FEE_BPS)
        assert (again.fills, again.positions) == (once.fills, once.positions)


@given(journeys, waves)
def test_what_finds_too_little_may_be_voided_with_the_rest(fills: list[Fill], waves: list[int]) -> None:
    remaining = without(fills, waves, 1, 2)
    named = replay(remaining, FEE_BPS).uncovered
    assert replay([fill for fill in remaining if fill not in named], FEE_BPS).uncovered == ()


def holdings(done: Replay) -> list[tuple[int, str, list[int]]]:
    """Each position: its seq, its quantity, the seqs of its fills."""
    return [
        (seq, str(position.quantity), [fill.seq for fill in done.fills if fill.position_seq == seq])
        for seq, position in sorted(done.positions.items())
    ]


NAMES = [
    ("as it was booked", [(1, "OPEN", 10, 2), (5, "REDUCE", 4, 2), (9, "CLOSE", 6, 2)], [(2, "0", [1, 5, 9])]),
    ("its opening fill is gone", [(5, "INCREASE", 10, 2), (9, "REDUCE", 4, 2)], [(2, "6", [5, 9])]),
    ("its last close is gone: it is open again", [(1, "OPEN", 10, 2), (5, "REDUCE", 4, 2)], [(2, "6", [1, 5])]),
    (
        "a close is gone: two holdings become one",
        [(1, "OPEN", 10, 2), (9, "OPEN", 5, 10), (13, "CLOSE", 5, 10)],
        [(2, "10", [1, 9, 13])],
    ),
    (
        "an increase is gone: one holding becomes two",
        [(1, "OPEN", 10, 2), (9, "REDUCE", 10, 2), (13, "INCREASE", 5, 2), (17, "REDUCE", 2, 2)],
        [(2, "0", [1, 9]), (14, "3", [13, 17])],
    ),
]


@pytest.mark.parametrize(("fills", "expected"), [case[1:] for case in NAMES], ids=[case[0] for case in NAMES])
def test_a_holding_is_named_by_its_earliest_fill(
    fills: list[tuple[int, str, int, int]], expected: list[tuple[int, str, list[int]]]
) -> None:
    booked = [a_fill(seq, verb, str(size), position_seq=position) for seq, verb, size, position in fills]
    done = replay(booked, FEE_BPS)
    assert holdings(done) == expected


def test_prices_rates_and_quantities_stay_as_they_were_booked() -> None:
    fills = [a_fill(1, "OPEN", "10", "2"), a_fill(5, "CLOSE", "10", "3", rate=Decimal("1.25"))]
    done = replay(fills, FEE_BPS)
    assert [replace(fill, realised=ZERO, fee=ONE) for fill in done.fills] == fills
    assert (done.realised, done.fees) == (Decimal("12.5"), Decimal("0.014375"))
    assert all(earlier.seq < later.seq for earlier, later in pairwise(done.fills))


def test_fills_of_the_first_edition_keep_its_rounding_and_their_fees() -> None:
    """Each was rounded by itself, in the quote currency and once more in the account's; what follows carries on."""
    rate = Decimal(1000)
    early = [
        a_fill(1, "OPEN", "1", "0.000000003", fee=Decimal("0.7"), rate=rate, cumulative=False),
        a_fill(5, "REDUCE", "0.25", "0.000000019", fee=Decimal("0.3"), rate=rate, cumulative=False),
    ]
    done = replay(early, FEE_BPS)
    assert [fill.realised for fill in done.fills] == [ZERO, ZERO], "0.000000004 was rounded before it was converted"
    late = a_fill(9, "REDUCE", "0.25", "0.000000019", rate=rate)
    done = replay([*early, late], FEE_BPS)
    assert [fill.realised for fill in done.fills] == [ZERO, ZERO, Decimal("0.000004")]
    assert [fill.fee for fill in done.fills] == [Decimal("0.7"), Decimal("0.3"), Decimal("0.00000001")]


def test_nothing_comes_to_nothing() -> None:
    done = replay([], FEE_BPS)
    assert (done.fills, done.positions, done.uncovered, done.realised, done.fees) == ((), {}, (), ZERO, ZERO)
