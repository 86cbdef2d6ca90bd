"""The outcome of a demo, its hash for comparisons, and the tables that show it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from cli.listener import Event
from domain.ledger import canonical
from tools.firm import DAY_TRADER, WEEKENDER, WINNER
from tools.journey import Journey

_CHALLENGES = """
query {
  challenges(first: 5) {
    nodes {
      id client status endReason
      phases { phaseIndex name status endReason initialBalance account {
        id status readOnly balance realised fees seq chainHead
        positions(first: 50) { nodes { id status } }
        decisionActions(first: 50, filter: {status: [REJECTED]}) { nodes { actionId code marketTime } }
        fills(first: 50, orderBy: OLDEST_FIRST) {
          nodes { orderId verb symbol price quantity realised fee batch rate ratePairs rateAgeSeconds rateStale }
        }
        orders(first: 50) { nodes { id verb type status reason outcome } }
      } }
      days { phaseIndex number date startBalance startEquity balance equity low high traded closed }
      latestBreach { rule day floor observed batch ledgerSeq ledgerHash derivation }
      breaches(first: 50) { nodes { rule consequence day floor observed batch } }
      payouts(first: 5) { nodes { status profit amount feeReturned } }
      purchase { status payment paidFrom price currency }
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
    violations: list[str] = field(default_factory=list)  # of the books, and answers that were not as expected

    def account(self, client: str) -> dict[str, Any]:
        """Return the account of a client's first phase."""
        account: dict[str, Any] = self.challenges[client]["phases"][0]["account"]
        return account

    def told(self, client: str) -> list[Event]:
        """Return the events of a client's challenge."""
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


def show_outcome(console: Console, outcome: Outcome) -> None:
    """Four tables: the challenges, their days, their ledgers, and what else was played."""
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
    table = Table("part", "client", "what happened", title="Also played")
    for part, client, happened in parts(outcome):
        table.add_row(part, client, happened)
    console.print(table)


def _cents(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"


def parts(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    """Yield each further part with the client that played it and what happened; what could not be played says so."""
    purchase = outcome.challenges[DAY_TRADER]["purchase"]
    price = f"{purchase['price']} {purchase['currency']}"
    yield "External payment", DAY_TRADER, f"{price} confirmed twice by the provider; purchase {purchase['status']}"
    for breach in outcome.challenges[DAY_TRADER]["breaches"]["nodes"]:
        closed = [fill for fill in outcome.account(DAY_TRADER)["fills"]["nodes"] if fill["batch"] == breach["batch"]]
        fills = ", ".join(f"{fill['verb']} {fill['symbol']} at {fill['price']}" for fill in closed)
        yield str(breach["consequence"]), DAY_TRADER, f"day {breach['day']}: {fills}"
    payouts = reversed(outcome.challenges[WINNER]["payouts"]["nodes"])
    for part, payout in zip(("Partial payout", "Last payout"), payouts, strict=False):
        amounts = f"{_cents(payout['amount'])}, the share of {_cents(payout['profit'])} of the profit"
        fee = f"; the fee of {_cents(payout['feeReturned'])} came back" if payout["feeReturned"] else ""
        yield part, WINNER, amounts + fee
    if WEEKENDER not in outcome.challenges:
        yield "Weekend in EUR", "", "left out: these quotes have no such weekend"
        return
    for fill in outcome.account(WEEKENDER)["fills"]["nodes"]:
        age = f"{fill['rateAgeSeconds'] / 3600:.0f} h old, {'stale' if fill['rateStale'] else 'fresh'}"
        rate = f"rate {Decimal(fill['rate']):.5f}, {age}"
        yield "Weekend in EUR", WEEKENDER, f"{fill['verb']} {fill['symbol']} at {fill['price']}; {rate}"
