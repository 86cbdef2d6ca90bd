"""The expected outcome of the demo: verdicts with their reasons, every event, payouts to the cent."""

from decimal import ROUND_DOWN, Decimal
from typing import Any

from tools.bots import CENT
from tools.expected_parts import closed_day, euro_weekend, external_payment
from tools.firm import DAY_TRADER, LOSER, TWO_STEP, WEEKENDER, WINNER
from tools.journey import DEPOSIT
from tools.outcome import Outcome

STARTED = ["prop.purchase.paid", "prop.purchase.account_created", "prop.purchase.active", "prop.challenge.started"]
PAID = ["prop.payout.approved", "prop.payout.paid"]
ADVANCED = ["prop.challenge.phase_changed", "prop.payout.requested", *PAID, "prop.challenge.passed", *PAID]
PAUSED, FAILED = "prop.challenge.paused", "prop.challenge.failed"
STATUS = {WINNER: "PASSED", LOSER: "FAILED", DAY_TRADER: "ACTIVE", WEEKENDER: "ACTIVE"}
INITIAL = Decimal(100_000)
PRICE, SPLIT = Decimal(TWO_STEP.price), Decimal(TWO_STEP.steps[1]["profitSplit"])
TRAIL = INITIAL / 10  # the floor's distance below the highest equity


def events(outcome: Outcome) -> dict[str, list[str]]:
    """Return the names of each challenge's events, in order; days are paused or closed as often as the breaches say."""
    ends = {WINNER: ADVANCED, LOSER: [FAILED]}
    return {
        client: [*STARTED, *_pauses(outcome, client), *ends.get(client, [])] for client in sorted(outcome.challenges)
    }


def _pauses(outcome: Outcome, client: str) -> list[str]:
    return [PAUSED for breach in _breaches(outcome, client) if breach["consequence"] in ("PAUSE_DAY", "CLOSE_DAY")]


def differences(outcome: Outcome) -> list[str]:
    """Return everything that is not as it should be."""
    found = list(outcome.violations)
    for client, challenge in outcome.challenges.items():
        if challenge["status"] != STATUS[client]:
            found.append(f"{client}'s challenge is {challenge['status']}, not {STATUS[client]}")
        names, expected = [event["name"] for event in outcome.told(client)], events(outcome)[client]
        if names != expected:
            found.append(f"{client}'s events are {names}, not {expected}")
        numbers = [event["number"] for event in outcome.told(client)]
        if numbers != list(range(1, len(numbers) + 1)):
            found.append(f"{client}'s events are numbered {numbers}")
    cursors = [event["position"] for event in outcome.events]
    if cursors != sorted(set(cursors)):
        found.append(f"events came out of order or twice: {cursors}")
    found += _pause(outcome) + _failure(outcome) + _best_day(outcome) + _payouts(outcome)
    found += external_payment(outcome) + closed_day(outcome)
    return found + euro_weekend(outcome) if WEEKENDER in outcome.challenges else found


def _breaches(outcome: Outcome, client: str) -> list[dict[str, Any]]:
    """Oldest first."""
    found: list[dict[str, Any]] = outcome.challenges[client]["breaches"]["nodes"]
    return found[::-1]


def _pause(outcome: Outcome) -> list[str]:
    """Return a daily loss pauses the loser's day: what it then tries to open is refused, and the challenge goes on."""
    first = next(iter(_breaches(outcome, LOSER)), None)
    if first is None or (first["rule"], first["consequence"]) != ("MAX_DAILY_LOSS", "PAUSE_DAY"):
        return [f"the loser's first breach is {first}, not a daily loss that pauses its day"]
    refused = outcome.challenges[LOSER]["phases"][0]["account"]["decisionActions"]["nodes"]
    if not refused or {action["code"] for action in refused} != {"ACCOUNT_NOT_OPEN"}:
        return [f"while it was paused the loser was refused {refused}, not for its account"]
    return []


def _failure(outcome: Outcome) -> list[str]:
    """Return the loser falls through the floor that its highest equity has lifted."""
    challenge = outcome.challenges[LOSER]
    found, breach, account = [], challenge["latestBreach"], challenge["phases"][0]["account"]
    if breach is None or breach["rule"] != "MAX_TOTAL_LOSS":
        found.append(f"the loser's last breach is {breach and breach['rule']}, not MAX_TOTAL_LOSS")
    else:
        floor, peak = Decimal(breach["floor"]), Decimal(breach["derivation"]["peak_equity"])
        if floor != peak - TRAIL or peak <= INITIAL:
            found.append(f"the loser's floor is {floor}, which has not trailed its highest equity {peak}")
        if Decimal(breach["observed"]) >= floor:
            found.append(f"the breach observed {breach['observed']}, which is not below its floor {floor}")
    if not account["readOnly"]:
        found.append("the loser's account is not read-only")
    if any(position["status"] == "OPEN" for position in account["positions"]["nodes"]):
        found.append("the loser's account still holds a position")
    return found


def _best_day(outcome: Outcome) -> list[str]:
    """The winner has its target at a day's end and passes later, once its best day is a small enough share."""
    most, target = (Decimal(TWO_STEP.steps[0][name]) / 100 for name in ("bestDayPct", "profitTargetPct"))
    days = [day for day in outcome.challenges[WINNER]["days"] if day["phaseIndex"] == 1]
    gains = [Decimal(day["balance"]) - Decimal(day["startBalance"]) for day in days]
    waited = [
        n for n in range(1, len(days))
        if sum(gains[:n]) >= target * INITIAL and max(gains[:n]) > most * sum(gains[:n])
    ]  # fmt: skip
    found = []
    if not waited:
        found.append(f"the winner had not to wait for its best day's share; its days earned {gains}")
    if max(gains, default=0) > most * sum(gains):
        found.append(f"the winner passed though its best day is more than {most:%} of {gains}")
    return found


def _payouts(outcome: Outcome) -> list[str]:
    """Return a part of the profit while the phase runs, with the fee; the rest at its end, without."""
    challenge = outcome.challenges[WINNER]
    payouts = challenge["payouts"]["nodes"][::-1]
    if len(challenge["phases"]) != 2 or len(payouts) != 2:
        return [f"the winner has {len(challenge['phases'])} phases and {len(payouts)} payouts, not 2 and 2"]
    account, found = challenge["phases"][1]["account"], []
    for payout in payouts:
        share = (Decimal(payout["profit"]) * SPLIT).quantize(CENT, rounding=ROUND_DOWN)
        if payout["status"] != "PAID" or Decimal(payout["amount"]) != share:
            found.append(f"a payout is {payout}, not {share}, PAID")
    fees = [payout["feeReturned"] and Decimal(payout["feeReturned"]) for payout in payouts]
    if fees != [PRICE, None]:
        found.append(f"the fee came back as {fees}, not once with the first payout")
    profit = Decimal(account["realised"]) - Decimal(account["fees"])
    if sum(Decimal(payout["profit"]) for payout in payouts) != profit:
        found.append(f"the payouts {payouts} do not add up to the profit {profit}")
    if Decimal(account["balance"]) != Decimal(challenge["phases"][1]["initialBalance"]):
        found.append(f"the funded account holds {account['balance']} after its profit was taken")
    due = Decimal(DEPOSIT) + sum(Decimal(payout["amount"]) for payout in payouts)
    if outcome.wallets[WINNER] != due:
        found.append(f"the winner's wallet holds {outcome.wallets[WINNER]}, not {due} with its fee and shares")
    if outcome.wallets[LOSER] != Decimal(DEPOSIT) - PRICE:
        found.append(f"the loser's wallet holds {outcome.wallets[LOSER]}, not {Decimal(DEPOSIT) - PRICE}")
    return found
