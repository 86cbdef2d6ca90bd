"""The demo's firm: its clients, the precision of its instruments, its groups, and the programs it sells."""

from dataclasses import dataclass
from typing import Any

BRAND, ZONE = "demo", "Europe/Prague"
WINNER, LOSER, DAY_TRADER, WEEKENDER = "winner", "loser", "daytrader", "weekender"

PRECISIONS = {"XAUUSD": 3, "BTCUSD": 2}
PRECISION = 5  # of any other instrument
QUOTE_AGE_SECONDS_MAX = 60  # of the quotes and rates to open on

GROUPS = (("DEMO_USD", "DEMO", "USD"), ("REAL_USD", "REAL", "USD"), ("DEMO_EUR", "DEMO", "EUR"))
POLICY: dict[str, Any] = {
    "leverageMax": "100",
    "notionalMax": "10000000",
    "positionEquityPctMax": "10000",
    "feeBps": "0.2",
    "slippage": "BID_ASK",
    "quoteAgeSecondsMax": QUOTE_AGE_SECONDS_MAX,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A program on sale, and how its clients pay for it."""

    name: str
    price: str
    currency: str
    steps: tuple[dict[str, Any], ...]
    payment: str = "WALLET"


TWO_STEP = Offer(
    "Demo two-step",
    "500",
    "USD",
    (
        {
            "phaseIndex": 1,
            "phaseType": "EVALUATION",
            "name": "Evaluation",
            "accountGroup": "DEMO_USD",
            "maxDailyLossPct": "3",
            "maxTotalLossPct": "10",
            "profitTargetPct": "5",
            "bestDayPct": "70",
            "minTradingDays": 1,
            "maxPositions": 5,
            "limits": {"dailyLoss": {"consequence": "PAUSE_DAY"}, "totalLoss": {"trail": "TRAIL_INTRADAY"}},
        },
        {
            "phaseIndex": 2,
            "phaseType": "FUNDED",
            "name": "Funded",
            "accountGroup": "REAL_USD",
            "durationDays": 4,
            "maxDailyLossPct": "5",
            "maxTotalLossPct": "10",
            "profitSplit": "0.8",
            "limits": {"totalLoss": {"trail": "TRAIL_END_OF_DAY", "lockAt": "0"}},
            "payout": {"minBuffer": "200", "minAmount": "100", "feeBack": True},
        },
    ),
)
CLOSED_DAY = Offer(
    "Demo closed day",
    "300",
    "USD",
    (
        {
            "phaseIndex": 1,
            "phaseType": "EVALUATION",
            "name": "Evaluation",
            "accountGroup": "DEMO_USD",
            "maxDailyLossPct": "0.5",
            "maxTotalLossPct": "40",
            "profitTargetPct": "50",
            "limits": {"dailyLoss": {"consequence": "CLOSE_DAY"}},
        },
    ),
    payment="EXTERNAL",
)
EURO = Offer(
    "Demo euro",
    "250",
    "EUR",
    (
        {
            "phaseIndex": 1,
            "phaseType": "EVALUATION",
            "name": "Evaluation",
            "accountGroup": "DEMO_EUR",
            "maxDailyLossPct": "20",
            "maxTotalLossPct": "40",
            "profitTargetPct": "50",
        },
    ),
)
BOUGHT = {WINNER: TWO_STEP, LOSER: TWO_STEP, DAY_TRADER: CLOSED_DAY, WEEKENDER: EURO}


def precision(symbol: str) -> int:
    """Return the decimal places of an instrument's prices."""
    return PRECISIONS.get(symbol, PRECISION)
