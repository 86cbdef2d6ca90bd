"""The safety gates: each reached by a policy of its own, in their order, and equal to a limit passes."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.accounts import Account
from domain.gates import admit
from domain.lifecycles import AccountStatus, ChallengeStatus
from domain.orders import Action, Refusal
from domain.positions import Position, Side
from domain.pre_trade import GateRefused, OrderTicket
from domain.quotes import Market
from domain.terms import Slippage
from tests.domain.builders import NOON, a_phase_run, a_policy, an_account, an_action, an_order
from tests.domain.desk_builders import CATALOGUE, holding, priced

SECOND = timedelta(seconds=1)


def euros(quantity: str, side: Side = Side.LONG) -> Position:
    """EURUSD stands at 1.00, so the quantity is the notional."""
    return Position(3, "EURUSD", side, NOON, Decimal(quantity), Decimal(quantity))


def pounds(quantity: str, cost: str | None = None) -> Position:
    """GBPUSD stands at 2.00."""
    return Position(4, "GBPUSD", Side.LONG, NOON, Decimal(quantity), Decimal(cost or Decimal(quantity) * 2))


def cross(quantity: str) -> Position:
    """EURGBP stands at 0.50."""
    return Position(5, "EURGBP", Side.LONG, NOON, Decimal(quantity), Decimal(quantity) / 2)


def the_market(seconds_old: int = 0) -> dict[str, Any]:
    at = NOON - seconds_old * SECOND
    return {q.symbol: q for q in (priced("EURUSD", "1", at), priced("GBPUSD", "2", at), priced("EURGBP", "0.5", NOON))}


@dataclass(frozen=True)
class Case:
    """An open long of 1,000 EURUSD on 100,000 dollars without a fee passes; a case changes that."""

    action: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    account: dict[str, Any] = field(default_factory=dict)
    held: tuple[Position, ...] = ()
    market: Market = field(default_factory=the_market)
    positions_max: int = 5


def spread(action: dict[str, Any], *, mid: bool = False, **policy: Any) -> Case:
    """EURUSD stands at 0.99 / 1.01; by default the policy deals at bid and ask."""
    slippage = Slippage.MID_PRICE if mid else Slippage.BID_ASK
    quote = replace(priced("EURUSD", "0.99"), ask=Decimal("1.01"))
    return Case(action, {"slippage": slippage} | policy, market=the_market() | {"EURUSD": quote})


def refused(case: Case) -> Refusal | None:
    """What stops the case's action, if anything."""
    policy = a_policy(**{"fee_bps": Decimal(0)} | case.policy)
    account: Account = an_account(policy=policy, **case.account)
    if case.held:
        account = holding(account, *case.held, market=case.market)
    action: Action = an_action(**case.action)
    try:
        admit(OrderTicket(action, account, case.market, CATALOGUE, NOON, case.positions_max))
    except GateRefused as stopped:
        return stopped.refusal
    return None


def text(**size: str) -> dict[str, Any]:
    return {"quantity": None} | size


def resting(order: str, price: str | None = None, **given: Any) -> dict[str, Any]:
    return {"order": order, "price": price} | given


REDUCE = {"action": "REDUCE"}
STALE = {"GBPUSD": priced("GBPUSD", "2", NOON - 61 * SECOND)}

WORKS_ONE = {"orders": {3: an_order(symbol="GBPUSD")}}

STOPPED: list[tuple[str, str, Case]] = [
    ("an action it does not know", "UNSUPPORTED_ACTION", Case({"action": "HOLD"})),
    ("an action in small letters", "UNSUPPORTED_ACTION", Case({"action": "open"})),
    ("a side it does not know", "UNSUPPORTED_ACTION", Case({"side": "FLAT"})),
    ("a paused account", "ACCOUNT_NOT_OPEN", Case(account={"status": AccountStatus.PAUSED})),
    ("a read-only account", "ACCOUNT_NOT_OPEN", Case(account={"read_only": True})),
    ("a day's pause", "ACCOUNT_NOT_OPEN", Case(account={"blocked_until": NOON + SECOND})),
    (
        "a phase that has ended",
        "ACCOUNT_NOT_OPEN",
        Case(account={"phase": a_phase_run(status=ChallengeStatus.PASSED)}),
    ),
    ("no such instrument", "ASSET_NOT_ALLOWED", Case({"symbol": "EURXXX"})),
    ("an instrument the policy does not list", "ASSET_NOT_ALLOWED", Case(policy={"symbols": ("GBPUSD",)})),
    ("no price", "PRICE_MISSING", Case({"symbol": "BTCUSDC"})),
    ("a price that is too old", "PRICE_STALE", Case(market=the_market(61))),
    ("no conversion rate", "RATE_MISSING", Case({"symbol": "EURGBP"}, market={"EURGBP": priced("EURGBP", "1")})),
    ("a conversion rate that is too old", "PRICE_STALE", Case({"symbol": "EURGBP"}, market=the_market() | STALE)),
    (
        "a conversion rate that is too old to add",
        "PRICE_STALE",
        Case({"symbol": "EURGBP", "action": "INCREASE"}, held=(cross("5"),), market=the_market() | STALE),
    ),
    ("longs forbidden", "DIRECTION_NOT_ALLOWED", Case(policy={"long_allowed": False})),
    ("shorts forbidden", "DIRECTION_NOT_ALLOWED", Case({"side": "SHORT"}, {"short_allowed": False})),
    ("no size", "INVALID_QUANTITY", Case(text())),
    ("two sizes", "INVALID_QUANTITY", Case({"notional": "10"})),
    ("a size that is no number", "INVALID_QUANTITY", Case({"quantity": "1e"})),
    ("a size that is not finite", "INVALID_QUANTITY", Case({"quantity": "Infinity"})),
    ("a size of nothing", "INVALID_QUANTITY", Case({"quantity": "0"})),
    ("a negative size", "INVALID_QUANTITY", Case({"quantity": "-1"})),
    ("a fraction to open", "INVALID_QUANTITY", Case(text(fraction="0.5"))),
    ("a bad size of nothing held", "INVALID_QUANTITY", Case(REDUCE | {"quantity": "x"})),
    ("closing a part", "INVALID_QUANTITY", Case({"action": "CLOSE", "quantity": "3"}, held=(euros("5"),))),
    ("less than the minimum", "QUANTITY_MIN", Case({"quantity": "0.005"})),
    ("a notional too small for one step", "QUANTITY_MIN", Case(text(notional="0.0099"))),
    ("too small a size of nothing held", "QUANTITY_MIN", Case(REDUCE | {"quantity": "0.005"})),
    ("no multiple of the step", "QUANTITY_STEP", Case({"quantity": "1.005"})),
    ("opening what is open", "POSITION_EXISTS", Case(held=(euros("5"),))),
    ("increasing what is not open", "NO_POSITION", Case({"action": "INCREASE"}, held=(euros("5", Side.SHORT),))),
    ("reducing what is not open", "NO_POSITION", Case(REDUCE)),
    ("a fraction of what is not open", "NO_POSITION", Case(REDUCE | text(fraction="0.5"))),
    ("closing what is not open", "NO_POSITION", Case({"action": "CLOSE"} | text())),
    ("reducing by more than is open", "EXCEEDS_POSITION", Case(REDUCE | {"quantity": "6"}, held=(euros("5"),))),
    ("a fraction above one", "EXCEEDS_POSITION", Case(REDUCE | text(fraction="2"), held=(euros("5"),))),
    ("above the notional", "NOTIONAL_MAX", Case({"quantity": "1000.01"}, {"notional_max": Decimal(1000)})),
    (
        "above it with what is held",
        "NOTIONAL_MAX",
        Case({"action": "INCREASE"}, {"notional_max": Decimal(1004)}, held=(euros("5"),)),
    ),
    ("above leverage", "LEVERAGE_MAX", Case({"quantity": "1000.01"}, {"leverage_max": Decimal("0.01")})),
    (
        "above leverage together",
        "AGGREGATE_LEVERAGE_MAX",
        Case({"quantity": "400.01"}, {"leverage_max": Decimal("0.01")}, held=(pounds("300"),)),
    ),
    (
        "too large for the equity",
        "POSITION_EQUITY_MAX",
        Case({"quantity": "1000.01"}, {"position_equity_pct_max": Decimal(1)}),
    ),
    (
        "margin beyond the balance",  # equity is twice the balance
        "INSUFFICIENT_MARGIN",
        Case({"quantity": "500.01"}, {"leverage_max": Decimal(1)}, {"cash": Decimal(1000)}, (pounds("250", "-500"),)),
    ),
    ("a position too many", "POSITIONS_MAX", Case(held=(pounds("1"),), positions_max=1)),
    ("an order it does not know", "UNSUPPORTED_ACTION", Case(resting("ICEBERG", "0.9"))),
    ("an order of no name", "UNSUPPORTED_ACTION", Case(resting("", "0.9"))),
    ("a stop-loss proposed by itself", "UNSUPPORTED_ACTION", Case(resting("STOP_LOSS", "0.9"))),
    ("a limit without a price", "INVALID_ORDER", Case(resting("LIMIT"))),
    ("a stop without a price", "INVALID_ORDER", Case(resting("STOP"))),
    ("a market order with a price", "INVALID_ORDER", Case(resting("MARKET", "0.9"))),
    ("a price without an order", "INVALID_ORDER", Case({"price": "0.9"})),
    ("a reduction at a limit without a price", "INVALID_ORDER", Case(REDUCE | {"order": "LIMIT"}, held=(euros("5"),))),
    ("a reduction with a stop-loss", "INVALID_ORDER", Case(REDUCE | {"stop_loss": "0.9"}, held=(euros("5"),))),
    ("a closing with a take-profit", "INVALID_ORDER", Case({"action": "CLOSE", "take_profit": "nan"} | text())),
    ("a stop-loss at the price", "STOP_LOSS_SIDE", Case({"stop_loss": "1"})),
    ("a short's stop-loss at the price", "STOP_LOSS_SIDE", Case({"side": "SHORT", "stop_loss": "1"})),
    ("a stop-loss of the other side", "STOP_LOSS_SIDE", Case({"side": "SHORT", "stop_loss": "0.99999"})),
    ("a stop-loss above the order's own price", "STOP_LOSS_SIDE", Case(resting("LIMIT", "0.9", stop_loss="0.95"))),
    ("a stop-loss above the quote", "STOP_LOSS_SIDE", Case(resting("LIMIT", "1.1", stop_loss="1.05"))),
    ("a stop-loss inside the spread", "STOP_LOSS_SIDE", spread({"stop_loss": "1"})),
    ("a stop-loss at the bid", "STOP_LOSS_SIDE", spread({"stop_loss": "0.99"})),
    ("a short's stop-loss inside the spread", "STOP_LOSS_SIDE", spread({"side": "SHORT", "stop_loss": "1"})),
    ("a resting order's, by the spread of now", "STOP_LOSS_SIDE", spread(resting("LIMIT", "0.95", stop_loss="0.94"))),
    ("a take-profit at the bid", "TAKE_PROFIT_SIDE", spread({"take_profit": "0.99"})),
    ("a take-profit at the mid", "TAKE_PROFIT_SIDE", spread({"take_profit": "1"}, mid=True)),
    ("a take-profit at the price", "TAKE_PROFIT_SIDE", Case({"take_profit": "1"})),
    ("a take-profit below the order's own price", "TAKE_PROFIT_SIDE", Case(resting("STOP", "1.2", take_profit="1.1"))),
    ("an order too many", "ORDERS_MAX", Case(resting("LIMIT", "0.9"), {"orders_max": 1}, WORKS_ONE)),
    (
        "a stop-loss and a take-profit too many",
        "ORDERS_MAX",
        Case({"stop_loss": "0.9", "take_profit": "1.1"}, {"orders_max": 2}, WORKS_ONE),
    ),
    ("a notional at its own price", "NOTIONAL_MAX", Case(resting("STOP", "1.1"), {"notional_max": Decimal(1099)})),
    (
        "what the account is worth at its own price",  # 5,000 held lose half of it
        "POSITION_EQUITY_MAX",
        Case(
            resting("LIMIT", "0.5", action="INCREASE"),
            {"position_equity_pct_max": Decimal(100)},
            {"cash": Decimal(5499)},
            (euros("5000"),),
        ),
    ),
]


@pytest.mark.parametrize(("code", "case"), [case[1:] for case in STOPPED], ids=[case[0] for case in STOPPED])
def test_an_action_is_stopped_by(code: str, case: Case) -> None:
    refusal = refused(case)
    assert refusal
    assert refusal.code == code


PASSED: list[tuple[str, Case]] = [
    ("a plain open", Case()),
    ("an open short beside a long", Case({"side": "SHORT"}, held=(euros("5"),))),
    ("the moment a pause ends", Case(account={"blocked_until": NOON})),
    ("a price just young enough", Case(market=the_market(60))),
    ("the minimum", Case({"quantity": "0.01"})),
    ("a notional rounded down to the step", Case(text(notional="1000.009"), {"notional_max": Decimal(1000)})),
    ("the notional limit", Case(policy={"notional_max": Decimal(1000)})),
    ("leverage used up", Case(policy={"leverage_max": Decimal("0.01")})),
    ("leverage used up together", Case({"quantity": "400"}, {"leverage_max": Decimal("0.01")}, held=(pounds("300"),))),
    ("the share of the equity", Case(policy={"position_equity_pct_max": Decimal(1)})),
    (
        "all of the margin",
        Case({"quantity": "500"}, {"leverage_max": Decimal(1)}, {"cash": Decimal(1000)}, (pounds("250", "-500"),)),
    ),
    ("the last position", Case(held=(pounds("1"),), positions_max=2)),
    ("closing all of it by quantity", Case({"action": "CLOSE", "quantity": "5"}, held=(euros("5"),))),
    ("closing dust", Case({"action": "CLOSE"} | text(), held=(euros("0.001"),))),
    ("a fraction of all", Case(REDUCE | text(fraction="1"), held=(euros("5.001"),))),
    ("a market order named", Case(resting("MARKET"))),
    ("the last order", Case(resting("LIMIT", "0.9"), {"orders_max": 2}, WORKS_ONE)),
    ("no order at all where there may be none", Case(policy={"orders_max": 0})),
    ("the last two orders", Case({"stop_loss": "0.9", "take_profit": "1.1"}, {"orders_max": 3}, WORKS_ONE)),
    ("a stop-loss below the bid", spread({"stop_loss": "0.98999"})),
    ("a take-profit inside the spread", spread({"take_profit": "1"})),
    ("a short's take-profit inside the spread", spread({"side": "SHORT", "take_profit": "1"})),
    ("a short's stop-loss above the ask", spread({"side": "SHORT", "stop_loss": "1.01001"})),
    ("a resting order's take-profit above the bid", spread(resting("LIMIT", "0.95", take_profit="0.94"))),
    ("prices to the last place", Case(resting("LIMIT", "0.99999", stop_loss="0.99998", take_profit="1.00000"))),
    ("the notional limit at its own price", Case(resting("STOP", "1.1"), {"notional_max": Decimal(1100)})),
    (
        "a larger quantity at a lower price",
        Case(resting("LIMIT", "0.5", quantity="2000"), {"notional_max": Decimal(1000)}),
    ),
    ("closing with a market order named", Case(resting("MARKET", action="CLOSE") | text(), held=(euros("5"),))),
    (
        "all the account is worth at its own price",
        Case(
            resting("LIMIT", "0.5", action="INCREASE"),
            {"position_equity_pct_max": Decimal(100)},
            {"cash": Decimal(5500)},
            (euros("5000"),),
        ),
    ),
]


@pytest.mark.parametrize("case", [case[1] for case in PASSED], ids=[case[0] for case in PASSED])
def test_the_gates_let_pass(case: Case) -> None:
    assert refused(case) is None


PRICES = [
    ("NaN", "INVALID_PRICE"),
    ("Infinity", "INVALID_PRICE"),
    ("-inf", "INVALID_PRICE"),
    ("1e400", "INVALID_PRICE"),
    ("1" + "0" * 400, "INVALID_PRICE"),
    ("10000000000", "INVALID_PRICE"),
    ("-0.9", "INVALID_PRICE"),
    ("0", "INVALID_PRICE"),
    ("", "INVALID_PRICE"),
    (" 0.9", "INVALID_PRICE"),
    ("0,9", "INVALID_PRICE"),
    ("0.900001", "PRICE_PRECISION"),
    ("0.9000000011", "PRICE_PRECISION"),
]

NOISY = [
    ({"quantity": "0.30000000000000004"}, "quantity", "0.3"),
    ({"quantity": "0.2999999999"}, "quantity", "0.3"),
    ({"quantity": "0.300000001"}, "quantity", "0.3"),
    ({"quantity": None, "notional": "99.99999999999999"}, "quantity", "100"),
    ({"order": "LIMIT", "price": "0.8999999999999999"}, "own_price", "0.9"),
    ({"stop_loss": f"0.9{'0' * 39}1"}, "stop_loss", "0.9"),
    ({"take_profit": "1.2000000000000002"}, "take_profit", "1.2"),
]


@pytest.mark.parametrize(("action", "name", "value"), NOISY)
def test_a_number_within_the_noise_of_floats_means_its_step(action: dict[str, Any], name: str, value: str) -> None:
    ticket = OrderTicket(an_action(**action), an_account(), the_market(), CATALOGUE, NOON, positions_max=5)
    assert getattr(ticket, name) == Decimal(value)


@pytest.mark.parametrize(
    "size", [{"quantity": "0.3000000011"}, {"notional": "0.1234567891"}, {"fraction": "0.1234567891"}]
)
def test_a_size_that_is_finer_and_no_noise_is_refused(size: dict[str, Any]) -> None:
    refusal = refused(Case({"quantity": None} | size))
    assert refusal
    assert (refusal.code, "8 decimal places" in refusal.message) == ("INVALID_QUANTITY", True)


@pytest.mark.parametrize(("given", "code"), PRICES)
@pytest.mark.parametrize("name", ["price", "stop_loss", "take_profit"])
def test_a_price_is_refused_by_its_name(name: str, given: str, code: str) -> None:
    order = {"order": "LIMIT"} if name == "price" else {}
    refusal = refused(Case(order | {name: given}))
    assert refusal
    assert refusal.code == code
    assert refusal.message.startswith(f"{name} ")


LOWERING: list[tuple[str, Case]] = [
    ("an exposure limit", Case(policy={"notional_max": Decimal(1), "leverage_max": Decimal("0.000001")})),
    ("a forbidden direction", Case(policy={"long_allowed": False})),
    ("an instrument taken off the list", Case(policy={"symbols": ("GBPUSD",)})),
    ("a day's pause", Case(account={"blocked_until": NOON + SECOND})),
    ("too many positions", Case(positions_max=0)),
]


@pytest.mark.parametrize("case", [case[1] for case in LOWERING], ids=[case[0] for case in LOWERING])
@pytest.mark.parametrize("action", [REDUCE | text(quantity="3"), {"action": "CLOSE"} | text()])
def test_lowering_exposure_is_not_forbidden_by(case: Case, action: dict[str, Any]) -> None:
    assert refused(replace(case, action=action, held=(euros("5"),))) is None


def test_lowering_exposure_needs_a_fresh_quote_of_its_own_symbol_and_takes_the_last_good_rate() -> None:
    for action in (REDUCE | text(quantity="3"), {"action": "CLOSE"} | text()):
        case = Case({"symbol": "EURGBP"} | action, held=(cross("5"),), market=the_market() | STALE)
        assert refused(case) is None
        old = {"EURGBP": priced("EURGBP", "0.5", NOON - 61 * SECOND)}
        silent = refused(replace(case, market=the_market() | old))
        assert silent
        assert silent.code == "PRICE_STALE"


REPAIRED: list[tuple[str, dict[str, Any]]] = [
    ("UNSUPPORTED_ACTION", {"action": {"action": "INCREASE"}}),
    ("ACCOUNT_NOT_OPEN", {"account": {"read_only": False}}),
    ("ASSET_NOT_ALLOWED", {"policy": {"symbols": ()}}),
    ("PRICE_STALE", {"market": the_market() | STALE}),
    ("PRICE_STALE", {"market": the_market()}),  # the rate's
    ("DIRECTION_NOT_ALLOWED", {"policy": {"long_allowed": True}}),
    ("INVALID_ORDER", {"action": {"price": None}}),
    ("STOP_LOSS_SIDE", {"action": {"stop_loss": "0.4"}}),
    ("TAKE_PROFIT_SIDE", {"action": {"take_profit": "0.6"}}),
    ("QUANTITY_STEP", {"action": {"quantity": "1000"}}),
    ("NO_POSITION", {"action": {"action": "OPEN"}}),
    ("NOTIONAL_MAX", {"policy": {"notional_max": Decimal(50_000)}}),
    ("LEVERAGE_MAX", {"policy": {"leverage_max": Decimal("0.55")}}),
    ("AGGREGATE_LEVERAGE_MAX", {"policy": {"leverage_max": Decimal("0.8")}}),
    ("POSITION_EQUITY_MAX", {"policy": {"position_equity_pct_max": Decimal(100)}}),
    ("INSUFFICIENT_MARGIN", {"account": {"cash": Decimal(2500)}}),
    ("POSITIONS_MAX", {"positions_max": 2}),
    ("ORDERS_MAX", {"policy": {"orders_max": 3}}),
]


def test_the_first_gate_wins() -> None:
    """An action that every gate would stop, repaired one gate at a time, meets them in the order of the policy."""
    worn = {
        "notional_max": Decimal(1), "leverage_max": Decimal("0.001"), "long_allowed": False, "symbols": ("GBPUSD",),
        "position_equity_pct_max": Decimal(1), "orders_max": 2,
    }  # fmt: skip
    prices = {"price": "0.5", "stop_loss": "0.6", "take_profit": "0.4"}
    case = Case(
        {"action": "HOLD", "symbol": "EURGBP", "quantity": "1000.005"} | prices,
        worn,
        {"read_only": True, "cash": Decimal(1000)} | WORKS_ONE,
        (pounds("250", "-500"),),
        {"EURGBP": priced("EURGBP", "0.5", NOON - 61 * SECOND)} | STALE,
        positions_max=1,
    )
    for code, repair in REPAIRED:
        refusal = refused(case)
        assert refusal
        assert refusal.code == code
        for name, change in repair.items():
            old = getattr(case, name)
            case = replace(case, **{name: old | change if isinstance(change, dict) else change})
    assert refused(case) is None


def test_a_refusal_says_the_limit_and_what_was_observed() -> None:
    assert refused(Case({"quantity": "1000.5"}, {"notional_max": Decimal(1000)})) == Refusal(
        "NOTIONAL_MAX", "The position's notional is above the limit.", "1000", "1000.5"
    )
    assert refused(Case(market=the_market(61))) == Refusal(
        "PRICE_STALE", "The newest quote of EURUSD is too old, in seconds.", "60", "61"
    )


def test_the_fee_counts_against_the_equity_that_leverage_allows() -> None:
    fee = {"fee_bps": Decimal(10), "leverage_max": Decimal("0.01")}
    stopped = refused(Case(policy=fee))
    assert stopped
    assert (stopped.code, stopped.limit) == ("LEVERAGE_MAX", "999.99")
    assert refused(Case({"quantity": "999.98"}, fee)) is None
