"""What a demo is expected to come to: both verdicts with their reasons, every event, the payout to the cent."""

from decimal import ROUND_DOWN, Decimal
from typing import Any

from cli.journey import LOSER, STEPS, WINNER
from cli.outcome import Outcome

STARTED = ["prop.purchase.paid", "prop.purchase.account_created", "prop.purchase.active", "prop.challenge.started"]
ADVANCED = ["prop.challenge.phase_changed", "prop.challenge.passed", "prop.payout.approved", "prop.payout.paid"]
PAUSED, FAILED = "prop.challenge.paused", "prop.challenge.failed"
STATUS = {WINNER: "PASSED", LOSER: "FAILED"}
INITIAL, SPLIT, CENT = Decimal(100_000), Decimal("0.8"), Decimal("0.01")
TRAIL = INITIAL / 10  # the floor's distance below the highest equity


def events(outcome: Outcome) -> dict[str, list[str]]:
    """The names of each challenge's events, in order; the loser's days are paused as often as its breaches say."""
    pauses = [breach for breach in _breaches(outcome, LOSER) if breach["consequence"] == "PAUSE_DAY"]
    return {WINNER: [*STARTED, *ADVANCED], LOSER: [*STARTED, *(PAUSED for _ in pauses), FAILED]}


def differences(outcome: Outcome) -> list[str]:
    """Everything that is not as it should be."""
    found = list(outcome.violations)
    for client, status in STATUS.items():
        challenge = outcome.challenges[client]
        if challenge["status"] != status:
            found.append(f"{client}'s challenge is {challenge['status']}, not {status}")
        names, expected = [event["name"] for event in outcome.told(client)], events(outcome)[client]
        if names != expected:
            found.append(f"{client}'s events are {names}, not {expected}")
        numbers = [event["number"] for event in outcome.told(client)]
        if numbers != list(range(1, len(numbers) + 1)):
            found.append(f"{client}'s events are numbered {numbers}")
    cursors = [event["position"] for event in outcome.events]
    if cursors != sorted(set(cursors)):
        found.append(f"events came out of order or twice: {cursors}")
    return found + _pause(outcome) + _failure(outcome) + _best_day(outcome) + _payout(outcome)


def _breaches(outcome: Outcome, client: str) -> list[dict[str, Any]]:
    """Oldest first."""
    found: list[dict[str, Any]] = outcome.challenges[client]["breaches"]["nodes"]
    return found[::-1]


def _pause(outcome: Outcome) -> list[str]:
    """A daily loss pauses the loser's day: what it then tries to open is refused, and the challenge goes on."""
    first = next(iter(_breaches(outcome, LOSER)), None)
    if first is None or (first["rule"], first["consequence"]) != ("MAX_DAILY_LOSS", "PAUSE_DAY"):
        return [f"the loser's first breach is {first}, not a daily loss that pauses its day"]
    refused = outcome.challenges[LOSER]["phases"][0]["account"]["decisionActions"]["nodes"]
    if not refused or {action["code"] for action in refused} != {"ACCOUNT_NOT_OPEN"}:
        return [f"while it was paused the loser was refused {refused}, not for its account"]
    return []


def _failure(outcome: Outcome) -> list[str]:
    """The loser falls through the floor that its highest equity has lifted."""
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
    most, target = (Decimal(STEPS[0][name]) / 100 for name in ("bestDayPct", "profitTargetPct"))
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


def _payout(outcome: Outcome) -> list[str]:
    challenge = outcome.challenges[WINNER]
    payouts = challenge["payouts"]["nodes"]
    if len(challenge["phases"]) != 2 or len(payouts) != 1:
        return [f"the winner has {len(challenge['phases'])} phases and {len(payouts)} payouts, not 2 and 1"]
    payout, account = payouts[0], challenge["phases"][1]["account"]
    profit = Decimal(account["realised"]) - Decimal(account["fees"])
    share = (profit * SPLIT).quantize(CENT, rounding=ROUND_DOWN)
    found = []
    if payout["status"] != "PAID" or Decimal(payout["profit"]) != profit or Decimal(payout["amount"]) != share:
        found.append(f"the payout is {payout}, not {share} of {profit}, PAID")
    if Decimal(account["balance"]) != Decimal(challenge["phases"][1]["initialBalance"]):
        found.append(f"the funded account holds {account['balance']} after its profit was taken")
    if outcome.wallets[WINNER] != Decimal(1000) - Decimal(500) + share:
        found.append(f"the winner's wallet holds {outcome.wallets[WINNER]}, not 500 and the share {share}")
    if outcome.wallets[LOSER] != Decimal(500):
        found.append(f"the loser's wallet holds {outcome.wallets[LOSER]}, not 500")
    return found
