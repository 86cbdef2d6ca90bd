"""An order closed in slices, on the desk: as in a backtest, as in one go, and after a void."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.backtest import Submission
from domain.instruments import Instrument, InstrumentKind
from domain.orders import Action
from services import corrections
from tests.services.test_backtest import Case, both
from tests.services.world import MANAGER, a_quote, books_hold, rows

NOON, STEP = datetime(2026, 3, 2, 12, tzinfo=UTC), Decimal("0.0001")
TRADED = [
    Instrument("BTCUSD", "BTC", "USD", 2, STEP, STEP, InstrumentKind.CRYPTO),
    Instrument("ETHBTC", "ETH", "BTC", 6, STEP, STEP, InstrumentKind.CRYPTO),
]
TAPE = [
    a_quote("BTCUSD", "65000.00", NOON),
    a_quote("ETHBTC", "0.050000", NOON),
    a_quote("ETHBTC", "0.049960", NOON + timedelta(minutes=1)),
]


def act(name: str, verb: str, **given: str) -> Action:
    return Action("r1", name, verb, "ETHBTC", "LONG", **given)


async def test_sliced_closes_are_the_same_on_the_desk_in_a_backtest_and_after_a_void(database: str) -> None:
    """A twentieth of an ether loses 0.13; a slice of it less than half a unit of bitcoin."""
    slices = [act(f"s{n}", "REDUCE", quantity="0.0001") for n in range(90)]
    plan: list[Submission] = [
        (1, [act("o", "OPEN", quantity="0.05")]),
        (2, [*slices, act("h", "REDUCE", fraction="0.3"), act("c", "CLOSE")]),
    ]
    outcome = await both(database, Case(TRADED, None, TAPE, "MID_PRICE"), plan)
    account = outcome.account
    assert len(outcome.journal.fills) == 93
    assert (account.realised, account.fees) == (Decimal("-0.13"), Decimal("0.32487"))
    gone = outcome.journal.fills[1].seq
    await corrections.void_fills(MANAGER, [(account.id, gone)], "a bad tick")
    [kept] = await rows("select realised, fees from balances")
    assert kept == {"realised": Decimal("-0.12974"), "fees": Decimal("0.32487") - Decimal("0.00032474")}
    [held] = await rows("select quantity, realised, whole_quantity from positions where status = 'OPEN'")
    assert held == {"quantity": STEP, "realised": Decimal("-0.12974"), "whole_quantity": Decimal("0.05")}
    await books_hold()
