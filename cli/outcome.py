"""What a demo came to, what it was expected to come to, and a hash to compare two of them by."""

import hashlib
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from cli.journey import LOSER, WINNER, Journey
from cli.listener import Event, Listener
from domain.ledger import canonical

STARTED = ["prop.purchase.paid", "prop.purchase.account_created", "prop.purchase.active", "prop.challenge.started"]
EXPECTED_EVENTS = {
    WINNER: [
        *STARTED,
        "prop.challenge.phase_changed",
        "prop.challenge.passed",
        "prop.payout.approved",
        "prop.payout.paid",
    ],
    LOSER: [*STARTED, "prop.challenge.failed"],
}
EXPECTED_STATUS = {WINNER: "PASSED", LOSER: "FAILED"}
SPLIT = Decimal("0.8")
CENT = Decimal("0.01")

_CHALLENGES = """
query {
  challenges(first: 10) {
    nodes {
      id client status endReason
      phases { phaseIndex name status endReason initialBalance account {
        id status readOnly balance realised fees seq chainHead
        positions(first: 50) { nodes { id status } }
      } }
      days { phaseIndex number date startEquity equity low high traded closed }
      latestBreach { rule day floor observed batch ledgerSeq ledgerHash }
      payouts(first: 5) { nodes { status profit amount } }
    }
  }
}
"""
_WALLETS = "query { wallets(first: 10) { nodes { client currency cash } } }"


@dataclass(slots=True)
class Outcome:
    challenges: dict[str, dict[str, Any]]  # by client
    wallets: dict[str, Decimal]
    events: list[Event]
    violations: list[str] = field(default_factory=list)  # of the books

    def told(self, client: str) -> list[Event]:
        """The events of a client's challenge."""
        return [event for event in self.events if event["challengeId"] == self.challenges[client]["id"]]


async def read(journey: Journey, listener: Listener, seconds_max: float) -> Outcome:
    """Read it through the API, once every event has come."""
    await listener.until(sum(len(names) for names in EXPECTED_EVENTS.values()), seconds_max)
    challenges = await journey.clients["manager"].ask(_CHALLENGES)
    wallets = await journey.clients["manager"].ask(_WALLETS)
    return Outcome(
        {challenge["client"]: challenge for challenge in challenges["nodes"]},
        {wallet["client"]: Decimal(wallet["cash"]) for wallet in wallets["nodes"]},
        listener.events,
    )


def differences(outcome: Outcome) -> list[str]:
    """Everything that is not as it should be."""
    found = list(outcome.violations)
    for client, status in EXPECTED_STATUS.items():
        challenge = outcome.challenges[client]
        if challenge["status"] != status:
            found.append(f"{client}'s challenge is {challenge['status']}, not {status}")
        names = [event["name"] for event in outcome.told(client)]
        if names != EXPECTED_EVENTS[client]:
            found.append(f"{client}'s events are {names}, not {EXPECTED_EVENTS[client]}")
        numbers = [event["number"] for event in outcome.told(client)]
        if numbers != list(range(1, len(numbers) + 1)):
            found.append(f"{client}'s events are numbered {numbers}")
    cursors = [event["position"] for event in outcome.events]
    if cursors != sorted(set(cursors)):
        found.append(f"events came out of order or twice: {cursors}")
    return found + _failure(outcome.challenges[LOSER]) + _payout(outcome)


def _failure(challenge: dict[str, Any]) -> list[str]:
    found = []
    breach, account = challenge["latestBreach"], challenge["phases"][0]["account"]
    if breach is None or breach["rule"] != "MAX_DAILY_LOSS":
        found.append(f"the loser's breach is {breach and breach['rule']}, not MAX_DAILY_LOSS")
    elif Decimal(breach["observed"]) >= Decimal(breach["floor"]):
        found.append(f"the breach observed {breach['observed']}, which is not below its floor {breach['floor']}")
    if not account["readOnly"]:
        found.append("the loser's account is not read-only")
    if any(position["status"] == "OPEN" for position in account["positions"]["nodes"]):
        found.append("the loser's account still holds a position")
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


def digest(outcome: Outcome) -> str:
    """One hash over verdicts, days, events and the heads of all ledgers: the same for the same run at any speed."""
    events = [{name: value for name, value in event.items() if name != "cursor"} for event in outcome.events]
    facts = {"challenges": outcome.challenges, "events": events}
    return hashlib.sha256(canonical(facts).encode()).hexdigest()


def show(console: Console, outcome: Outcome) -> None:
    """Three tables: the challenges, their days, their ledgers."""
    table = Table("client", "challenge", "status", "rule", "evidence", title="Challenges")
    for client, challenge in sorted(outcome.challenges.items()):
        breach = challenge["latestBreach"]
        evidence = f"equity {_cents(breach['observed'])} below {_cents(breach['floor'])}" if breach else ""
        table.add_row(client, challenge["id"], challenge["status"], challenge["endReason"] or "", evidence)
    console.print(table)
    table = Table("client", "phase", "day", "date", "start equity", "low", "high", "equity", "traded", title="Days")
    for client, challenge in sorted(outcome.challenges.items()):
        for day in challenge["days"]:
            figures = [_cents(day[name]) for name in ("startEquity", "low", "high", "equity")]
            traded = "yes" if day["traded"] else ""
            table.add_row(client, str(day["phaseIndex"]), str(day["number"]), day["date"], *figures, traded)
    console.print(table)
    table = Table(
        "client", "phase", "account", "status", "rows", "balance", "realised", "fees", "head", title="Ledgers"
    )
    for client, challenge in sorted(outcome.challenges.items()):
        for phase in challenge["phases"]:
            account = phase["account"]
            figures = [_cents(account[name]) for name in ("balance", "realised", "fees")]
            what = [client, phase["name"], account["id"], account["status"], str(account["seq"])]
            table.add_row(*what, *figures, account["chainHead"][:12])
    console.print(table)


def _cents(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"
