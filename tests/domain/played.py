"""An account driven through the fold by actions and quotes, with every event kept."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.accounts import Journal
from domain.execution import submit
from domain.fold import catch_up
from domain.ledger import Kind
from domain.lifecycles import OrderStatus
from domain.orders import ActionResult, Order, OrderType
from domain.quotes import Batch, Quote
from domain.terms import PhaseTerms, Policy
from tests.domain.builders import NOON, a_policy, an_account, an_action
from tests.domain.desk_builders import a_market, a_moment, conditions, deposited, priced, started

FREE = a_policy(fee_bps=Decimal(0))
SECOND = timedelta(seconds=1)


class Played:
    """An account with EURUSD at 1.10 under its hands; every quote is a batch of its own, a second after the last."""

    def __init__(self, policy: Policy = FREE, terms: PhaseTerms | None = None, **changes: Any) -> None:
        self.journal = Journal()
        if terms:
            self.account, _ = started(terms, policy=policy, **changes)
        else:
            self.account, _ = deposited(an_account(policy=policy, marked_through=1, marked_at=NOON, **changes))
        self.terms, self.number = terms, 1
        self.market = a_market() | {"EURUSD": priced("EURUSD", "1.1")}

    def propose(self, verb: str = "OPEN", name: str = "", **given: Any) -> ActionResult:
        """Submit one action, of 1,000 units unless told otherwise."""
        action = an_action(action_id=name or f"a{self.account.seq}", action=verb, **given)
        moment = a_moment(self.market, NOON + self.number * SECOND, self.number)
        self.account, [result] = submit(self.account, [action], {}, moment, conditions(self.terms), self.journal)
        return result

    def quote(self, price: str, symbol: str = "EURUSD", spread: str = "0", after: timedelta = SECOND) -> None:
        """The next batch holds one quote, whose source made it `after` seconds ago at most."""
        at = NOON + (self.number + 1) * SECOND
        self.batch(Quote(symbol, Decimal(price), Decimal(price) + Decimal(spread), at - after + SECOND), at=at)

    def batch(self, *quotes: Quote, at: datetime | None = None) -> None:
        self.number += 1
        batch = Batch(self.number, at or NOON + self.number * SECOND, quotes)
        self.account = catch_up(self.account, self.market, [batch], conditions(self.terms), self.journal)
        self.market = self.market | {quote.symbol: quote for quote in quotes}

    def orders(self) -> list[tuple[OrderType, OrderStatus]]:
        return [(order.type, order.status) for order in self.journal.orders.values()]

    def order(self, kind: OrderType) -> Order:
        """The newest of its type."""
        return [order for order in self.journal.orders.values() if order.type is kind][-1]

    def kinds(self) -> list[Kind]:
        """What the ledger says beside the marks."""
        return [row.kind for row in self.journal.rows if row.kind is not Kind.MARK_TO_MARKET]
