"""Further expected outcomes of the demo: an external payment, a closed day, a weekend in euros."""

from decimal import Decimal
from typing import Any

from tools.firm import DAY_TRADER, QUOTE_AGE_SECONDS_MAX, WEEKENDER
from tools.outcome import Outcome
from tools.weekend import RATE


def external_payment(outcome: Outcome) -> list[str]:
    """Return the day trader's purchase was paid outside and is active; no wallet was needed."""
    purchase, found = outcome.challenges[DAY_TRADER]["purchase"], []
    facts = tuple(purchase[name] for name in ("payment", "paidFrom", "status"))
    if facts != ("EXTERNAL", "OUTSIDE", "ACTIVE"):
        found.append(f"the day trader's purchase is {purchase}, not an active one that was paid outside")
    if DAY_TRADER in outcome.wallets:
        found.append("the day trader has a wallet, though it paid outside")
    return found


def closed_day(outcome: Outcome) -> list[str]:
    """Return a daily loss closes the day: position and order go at once, opening is refused, the next day is traded."""
    breaches = outcome.challenges[DAY_TRADER]["breaches"]["nodes"]
    if [(breach["rule"], breach["consequence"]) for breach in breaches] != [("MAX_DAILY_LOSS", "CLOSE_DAY")]:
        return [f"the day trader's breaches are {breaches}, not one daily loss that closes its day"]
    account, [breach] = outcome.account(DAY_TRADER), breaches
    orders, fills = _orders(account), account["fills"]["nodes"]
    forced = [fill for fill in fills if orders[fill["orderId"]]["reason"] == "CLOSE_DAY"]
    found = []
    if [(fill["verb"], fill["batch"]) for fill in forced] != [("CLOSE", breach["batch"])]:
        found.append(f"the day was closed by {forced}, not by one CLOSE at the breach's batch {breach['batch']}")
    stops = [
        (order["status"], order["outcome"].get("reason")) for order in orders.values() if order["type"] == "STOP_LOSS"
    ]
    if ("CANCELLED", "CLOSE_DAY") not in stops:
        found.append(f"the day trader's stop-losses are {stops}, and none was cancelled with its day")
    refused = [action["code"] for action in account["decisionActions"]["nodes"]]
    if refused != ["ACCOUNT_NOT_OPEN"]:
        found.append(f"once its day was closed the day trader was refused {refused}, not for its account")
    days = {day["number"] for day in outcome.challenges[DAY_TRADER]["days"] if day["traded"]}
    after = [fill["verb"] for fill in fills if fill["batch"] > breach["batch"]]
    if after != ["OPEN", "CLOSE"] or not any(day > breach["day"] for day in days):
        found.append(f"after its day was closed the day trader did {after} on the days {sorted(days)}")
    return found


def euro_weekend(outcome: Outcome) -> list[str]:
    """What lowers the exposure at the weekend is converted at Friday's rate, and flagged; the stop-loss is filled."""
    account = outcome.account(WEEKENDER)
    orders, fills = _orders(account), account["fills"]["nodes"]
    if [fill["verb"] for fill in fills] != ["OPEN", "REDUCE", "CLOSE"]:
        return [f"the weekender's fills are {fills}, not an opening, a reduction and a closing"]
    opening, *weekend = fills
    found = []
    if opening["rateStale"]:
        found.append(f"the weekender opened at a stale rate: {opening}")
    for fill in weekend:
        if not fill["rateStale"] or fill["rateAgeSeconds"] <= QUOTE_AGE_SECONDS_MAX:
            found.append(f"the weekender's {fill['verb']} is not flagged as at a stale rate: {fill}")
        if fill["ratePairs"] != [RATE] or Decimal(fill["rate"]) != Decimal(opening["rate"]):
            found.append(f"the weekender's {fill['verb']} is at {fill['rate']}, not at the last good {opening['rate']}")
    if orders[weekend[-1]["orderId"]]["type"] != "STOP_LOSS":
        found.append(f"the weekender's position was not closed by its stop-loss: {orders[weekend[-1]['orderId']]}")
    return found


def _orders(account: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {order["id"]: order for order in account["orders"]["nodes"]}
