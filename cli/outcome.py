"""What a demo came to, a hash to compare two of them by, and the tables it is shown in."""

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from cli.journey import Journey
from cli.listener import Event
from domain.ledger import canonical

_CHALLENGES = """
query {
  challenges(first: 10) {
    nodes {
      id client status endReason
      phases { phaseIndex name status endReason initialBalance account {
        id status readOnly balance realised fees seq chainHead
        positions(first: 50) { nodes { id status } }
        decisionActions(first: 50, filter: {status: [REJECTED]}) { nodes { actionId code marketTime } }
      } }
      days { phaseIndex number date startBalance startEquity balance equity low high traded closed }
      latestBreach { rule day floor observed batch ledgerSeq ledgerHash derivation }
      breaches(first: 50) { nodes { rule consequence day floor observed batch } }
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
    events: list[Event] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)  # of the books

    def told(self, client: str) -> list[Event]:
        """The events of a client's challenge."""
        return [event for event in self.events if event["challengeId"] == self.challenges[client]["id"]]


async def read(journey: Journey) -> Outcome:
    """Read it through the API, all but the events."""
    challenges = await journey.clients["manager"].ask(_CHALLENGES)
    wallets = await journey.clients["manager"].ask(_WALLETS)
    return Outcome(
        {challenge["client"]: challenge for challenge in challenges["nodes"]},
        {wallet["client"]: Decimal(wallet["cash"]) for wallet in wallets["nodes"]},
    )


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
            if (account := phase["account"]) is None:
                continue  # it was never reached
            figures = [_cents(account[name]) for name in ("balance", "realised", "fees")]
            what = [client, phase["name"], account["id"], account["status"], str(account["seq"])]
            table.add_row(*what, *figures, account["chainHead"][:12])
    console.print(table)


def _cents(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"
