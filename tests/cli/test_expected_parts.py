"""The demo notices each of its further parts that went another way."""

from collections.abc import Callable
from typing import Any

import pytest

from tools.expected_parts import closed_day, euro_weekend, external_payment
from tools.firm import DAY_TRADER, WEEKENDER
from tools.outcome import Outcome


def _fill(verb: str, batch: int, order: str, **more: Any) -> dict[str, Any]:
    rate = {"rate": "0.9", "ratePairs": ["EURUSD"], "rateAgeSeconds": 0, "rateStale": False}
    return {"verb": verb, "batch": batch, "orderId": order, **rate, **more}


def _an_outcome() -> Outcome:
    """As expected."""
    order = {"verb": "OPEN", "type": "MARKET", "status": "FILLED", "reason": "", "outcome": {}}
    stale = {"rateAgeSeconds": 14_400, "rateStale": True}
    closing, later = _fill("CLOSE", 2, "c"), [_fill("OPEN", 4, "o"), _fill("CLOSE", 5, "o")]
    day_trader = {
        "fills": {"nodes": [_fill("OPEN", 1, "o"), closing, *later]},
        "orders": {
            "nodes": [
                order | {"id": "o"},
                order | {"id": "c", "reason": "CLOSE_DAY"},
                order | {"id": "s", "type": "STOP_LOSS", "status": "CANCELLED", "outcome": {"reason": "CLOSE_DAY"}},
            ]
        },
        "decisionActions": {"nodes": [{"code": "ACCOUNT_NOT_OPEN"}]},
    }  # fmt: skip
    weekender = {
        "fills": {"nodes": [_fill("OPEN", 1, "o"), _fill("REDUCE", 2, "o", **stale), _fill("CLOSE", 3, "s", **stale)]},
        "orders": {"nodes": [order | {"id": "o"}, order | {"id": "s", "type": "STOP_LOSS"}]},
    }
    return Outcome(
        challenges={
            DAY_TRADER: {
                "purchase": {"payment": "EXTERNAL", "paidFrom": "OUTSIDE", "status": "ACTIVE"},
                "breaches": {"nodes": [{"rule": "MAX_DAILY_LOSS", "consequence": "CLOSE_DAY", "batch": 2, "day": 1}]},
                "days": [{"number": 1, "traded": True}, {"number": 2, "traded": True}],
                "phases": [{"account": day_trader}],
            },
            WEEKENDER: {"phases": [{"account": weekender}]},
        },
        wallets={},
    )


def _differences(outcome: Outcome) -> list[str]:
    return [*external_payment(outcome), *closed_day(outcome), *euro_weekend(outcome)]


def test_what_is_as_expected_differs_in_nothing() -> None:
    assert _differences(_an_outcome()) == []


@pytest.mark.parametrize(
    ("spoil", "difference"),
    [
        (lambda o: o.challenges[DAY_TRADER]["purchase"].update(status="PENDING"), "not an active one"),
        (lambda o: o.wallets.update({DAY_TRADER: 0}), "has a wallet"),
        (lambda o: o.challenges[DAY_TRADER]["breaches"]["nodes"].clear(), "not one daily loss"),
        (lambda o: o.account(DAY_TRADER)["fills"]["nodes"][1].update(verb="REDUCE"), "not by one CLOSE"),
        (lambda o: o.account(DAY_TRADER)["orders"]["nodes"][2].update(status="WORKING"), "none was cancelled"),
        (lambda o: o.account(DAY_TRADER)["decisionActions"]["nodes"].clear(), "was refused"),
        (lambda o: o.account(DAY_TRADER)["fills"]["nodes"].pop(), "after its day was closed"),
        (lambda o: o.challenges[DAY_TRADER]["days"].pop(), "after its day was closed"),
        (lambda o: o.account(WEEKENDER)["fills"]["nodes"].pop(), "not an opening, a reduction and a closing"),
        (lambda o: o.account(WEEKENDER)["fills"]["nodes"][0].update(rateStale=True), "opened at a stale rate"),
        (lambda o: o.account(WEEKENDER)["fills"]["nodes"][1].update(rateStale=False), "not flagged"),
        (lambda o: o.account(WEEKENDER)["fills"]["nodes"][2].update(rate="0.91"), "not at the last good"),
        (lambda o: o.account(WEEKENDER)["fills"]["nodes"][2].update(orderId="o"), "not closed by its stop-loss"),
    ],
)
def test_what_went_another_way_is_named(spoil: Callable[[Outcome], object], difference: str) -> None:
    outcome = _an_outcome()
    spoil(outcome)
    [found] = _differences(outcome)
    assert difference in found
