"""Which quotes are taken, and how they are cut into batches."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import AMOUNT_UNIT
from domain.quotes import Dropped, Listing, Quote, divide_into_batches, fault, screen
from tests.domain.builders import NOON, a_quote

SECOND = timedelta(seconds=1)

FAULTS = [
    ("a good quote", a_quote(), None),
    ("bid and ask may be equal", a_quote("1", "1"), None),
    ("as old as the last one", a_quote(source_time=NOON - SECOND), None),
    ("as new as allowed", a_quote(source_time=NOON + SECOND), None),
    ("not a number", a_quote("NaN"), Dropped.NOT_FINITE),
    ("a signalling one", a_quote("1", "sNaN"), Dropped.NOT_FINITE),
    ("infinite", a_quote("1", "Infinity"), Dropped.NOT_FINITE),
    ("a bid of nothing", a_quote("0"), Dropped.NOT_POSITIVE),
    ("an ask of nothing", a_quote("1", "0"), Dropped.NOT_POSITIVE),
    ("a negative bid", a_quote("-1"), Dropped.NOT_POSITIVE),
    ("crossed", a_quote("1.2", "1.1"), Dropped.CROSSED),
    ("as large as the limit", a_quote("1", "1e10"), Dropped.OUT_OF_RANGE),
    ("just below it", a_quote("1", "9999999999.99999999"), None),
    ("a ninth place in the bid", a_quote("1.000000001", "1.1"), Dropped.TOO_PRECISE),
    ("a ninth place in the ask", a_quote("1", "1.000000001"), Dropped.TOO_PRECISE),
    ("from the future", a_quote(source_time=NOON + 2 * SECOND), Dropped.FUTURE),
    ("older than the last one", a_quote(source_time=NOON - 2 * SECOND), Dropped.LATE),
]


@pytest.mark.parametrize(("quote", "reason"), [c[1:] for c in FAULTS], ids=[c[0] for c in FAULTS])
def test_a_quote_is_taken_or_dropped_for_a_reason(quote: Quote, reason: Dropped | None) -> None:
    assert fault(quote, AMOUNT_UNIT, last=NOON - SECOND, latest=NOON + SECOND) is reason


def test_the_first_quote_of_a_symbol_is_never_late() -> None:
    assert fault(a_quote(source_time=NOON - 1000 * SECOND), AMOUNT_UNIT, last=None, latest=None) is None


def test_each_quote_taken_moves_the_time_the_next_is_held_against() -> None:
    first, late, equal = a_quote(source_time=NOON), a_quote(source_time=NOON - SECOND), a_quote("1.2", "1.3")
    strange = a_quote(symbol="XAUUSD")
    taken, _, dropped, rounded = screen([first, late, strange, equal], {"EURUSD": Listing(5)}, NOON)
    assert taken == [first, equal]
    assert not rounded
    assert dropped == [(late, Dropped.LATE), (strange, Dropped.UNKNOWN_SYMBOL)]


def test_screening_leaves_the_known_times_alone() -> None:
    listings = {"EURUSD": Listing(5)}
    screen([a_quote()], listings, NOON)
    assert listings == {"EURUSD": Listing(5)}


NOISE = [
    ("1.1370200000000001", 5, "1.13702"),
    ("1.1370199999999998", 5, "1.13702"),
    ("1.083400000000000001", 5, "1.0834"),
    ("2400.0100000000002", 2, "2400.01"),
    ("38000.000000001", 0, "38000"),
    ("1.1370250000000002", 5, "1.137025"),  # a float's middle of two prices: finer than the instrument
    ("1.1370249999999997", 5, "1.137025"),
    ("0.30000000000000004", 12, "0.3"),
    ("60000.123456780006", 8, "60000.12345678"),
    ("1.0834091", 5, "1.0834091"),  # finer than the instrument, and what the desk can keep: as it is
]


@pytest.mark.parametrize(("text", "precision", "value"), NOISE)
def test_the_noise_of_floats_is_rounded_to_the_instruments_precision(text: str, precision: int, value: str) -> None:
    offered = a_quote(text, "99999")
    taken, _, dropped, rounded = screen([offered], {"EURUSD": Listing(precision)}, None)
    assert not dropped
    assert [str(quote.bid.normalize()) for quote in taken] == [str(Decimal(value).normalize())]
    assert rounded == ({"EURUSD": 1} if text != value else {})


@pytest.mark.parametrize("text", ["1.137020001", "1.1370251234567", "0.0000000001", "1.13702000000999e-5"])
def test_a_price_that_is_finer_and_no_noise_is_too_precise(text: str) -> None:
    assert screen([a_quote(text, "2")], {"EURUSD": Listing(5)}, None).dropped == [
        (a_quote(text, "2"), Dropped.TOO_PRECISE)
    ]


@given(st.integers(0, 12), st.integers(1, 10**12), st.floats(-2e-16, 2e-16))
def test_a_price_that_went_through_a_float_comes_out_as_it_was(precision: int, ticks: int, noise: float) -> None:
    price = Decimal(ticks % 10 ** min(6 + precision, 13) + 1).scaleb(-precision)  # 13 digits: a float's noise is below
    noisy = a_quote(repr(float(price) * (1 + noise)), "1e9")
    screened = screen([noisy], {"EURUSD": Listing(precision)}, None)
    assert [quote.bid for quote in screened.taken] == [price]


MIDS = [("1.1", "1.2", "1.15"), ("0.00000001", "0.00000002", "0.000000015"), ("1e-12", "2e-12", "1.5e-12")]


@pytest.mark.parametrize(("bid", "ask", "mid"), MIDS)
def test_the_mid_is_exact(bid: str, ask: str, mid: str) -> None:
    assert a_quote(bid, ask).mid == Decimal(mid)


quotes = st.builds(
    lambda symbol, step: (symbol, step),
    st.sampled_from(["EURUSD", "XAUUSD", "BTCUSD"]),
    st.integers(0, 2),
)


def in_time(steps: list[tuple[str, int]]) -> list[Quote]:
    """Quotes whose source times never go back."""
    moment, made = NOON, []
    for symbol, step in steps:
        moment += step * SECOND
        made.append(a_quote(symbol=symbol, source_time=moment))
    return made


@given(st.lists(quotes), st.booleans())
def test_batches_keep_every_quote_in_order_and_hide_none(steps: list[tuple[str, int]], by_time: bool) -> None:
    arrived = in_time(steps)
    batches = divide_into_batches(arrived, by_time=by_time)
    assert [quote for batch in batches for quote in batch] == arrived
    for batch in batches:
        assert batch
        assert len({quote.symbol for quote in batch}) == len(batch)
        assert not by_time or len({quote.source_time for quote in batch}) == 1


@given(st.lists(quotes, min_size=1), st.integers(0, 100))
def test_a_replay_is_cut_alike_however_it_is_handed_in(steps: list[tuple[str, int]], at: int) -> None:
    """Handing in may stop between two source times; the cut is then the same."""
    arrived = in_time(steps)
    moment = arrived[at % len(arrived)].source_time
    before = [quote for quote in arrived if quote.source_time < moment]
    after = arrived[len(before) :]
    parts = divide_into_batches(before, by_time=True) + divide_into_batches(after, by_time=True)
    assert parts == divide_into_batches(arrived, by_time=True)
