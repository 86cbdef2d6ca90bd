"""Actions of arbitrary text: each gets a result, and a refused one changes nothing but the count of refusals."""

from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from domain.accounts import Journal
from domain.execution import submit
from domain.ledger import Kind
from domain.lifecycles import ActionStatus
from domain.orders import Action
from domain.positions import Side
from tests.domain.builders import NOON, a_policy, an_account
from tests.domain.desk_builders import CATALOGUE, a_holding, a_market, a_moment, conditions, deposited, holding

HOSTILE = [
    "NaN", "sNaN", "-NaN123", "Infinity", "-inf", "1e400", "1E-400", "-0", "0e999999999", "1e999999999999", "9" * 200,
    f"0.{'0' * 39}1", "1_000", " 1", "1 ", "\N{ARABIC-INDIC DIGIT ONE}00", "0x10", "1,5", "+5", "1e5", "--1", "½",
    "1\n", "",
]  # fmt: skip
NUMBERS = st.none() | st.sampled_from(HOSTILE) | st.integers(-10, 10**7).map(str) | st.decimals().map(str)
WORDS = ["OPEN", "INCREASE", "REDUCE", "CLOSE", "HOLD", "CANCEL", "open", "OPEN ", "", "LIMIT", "STOP", "MARKET",
         "LONG", "SHORT", "Buy", "STOP_LOSS"]  # fmt: skip
NAMES = st.sampled_from(WORDS) | st.text(max_size=20)
SYMBOLS = st.sampled_from(
    [*CATALOGUE.instruments, "\N{CYRILLIC CAPITAL LETTER IE}URUSD", "EURUSD\u200b", "eurusd", "EUR/USD"]
) | st.text(max_size=9)
SIZES = ("quantity", "lots", "notional", "fraction", "price", "stop_loss", "take_profit")


def actions() -> st.SearchStrategy[list[Action]]:
    """Mostly hostile, now and then one of each field sound, so that all gates are reached."""
    one = st.builds(
        Action,
        st.just("r"),
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(WORDS[:4]) | NAMES,
        st.sampled_from(sorted(CATALOGUE.instruments)) | SYMBOLS,
        st.sampled_from(["LONG", "SHORT"]) | NAMES,
        order=st.none() | st.sampled_from(["LIMIT", "STOP"]) | NAMES,
        reference=st.none() | st.text(max_size=5),
        **dict.fromkeys(SIZES, NUMBERS),
    )
    return st.lists(one, min_size=1, max_size=6)


def _one(**given: Any) -> list[Action]:
    return [Action("r", "a", **{"action": "OPEN", "symbol": "EURUSD", "side": "LONG"} | given)]


@given(actions())
@example(_one(quantity="1e400"))
@example(_one(notional="1E-400"))
@example(_one(action="REDUCE", fraction=f"0.{'0' * 39}1"))
@example(_one(quantity="1", order="LIMIT", price="0e999999999"))
def test_every_action_is_answered_and_a_refused_one_changes_nothing(proposed: list[Action]) -> None:
    begun = holding(deposited(an_account(policy=a_policy()))[0], a_holding("EURUSD", Side.LONG, "1000"))
    journal = Journal()
    account, results = submit(begun, proposed, {}, a_moment(a_market(), NOON), conditions(), journal)
    assert [result.content for result in results] == proposed
    stored = [result for result in results if result.seq is not None]
    unstored = {"DUPLICATE_IN_BATCH", "INVALID_QUANTITY", "INVALID_PRICE"}
    for result in results:
        assert result.seq is not None or (result.refusal and result.refusal.code in unstored), result
    assert journal.actions == stored
    for result in results:
        assert (result.refusal is None) == (result.status is not ActionStatus.REJECTED)
        assert result.refusal is None or max(len(result.refusal.limit or ""), len(result.refusal.observed or "")) <= 200
    assert account.cash == begun.cash + sum((row.amount for row in journal.rows), Decimal(0))
    assert all(row.amount == 0 for row in journal.rows if row.kind is not Kind.FILL)
    if all(result.refusal for result in stored):
        assert [row.kind for row in journal.rows] == [Kind.ACTION_REJECTED] * len(stored)
        assert (account.cash, account.positions, account.orders) == (begun.cash, begun.positions, begun.orders)
