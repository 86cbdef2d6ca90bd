"""Ticks: the current figures of a challenge for subscribers. Only the newest is sent; none is stored."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import ID, field

from domain.lifecycles import ChallengeStatus
from schema.challenges import Challenge
from schema.engine.computed_fields import computed
from schema.engine.paging import read_one
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.rule_progress import RuleProgress
from services.views.lists import ACCOUNTS, CHALLENGES
from services.views.ticks import TICKS

if TYPE_CHECKING:
    from schema.accounts import Account


@strawberry.type(
    description="Current figures of a challenge's account, in its currency. The figures of the trading day are null "
    "before the phase has started."
)
class ChallengeTick(FromRow, listing=TICKS):
    id: ID = field(description="Challenge id.")
    status: ChallengeStatus = field(description="State of the challenge.")
    phase_index: int = field(description="Number of the current phase, counted from 1.")
    account_id: ID = field(description="Account of the current phase.")
    market_time: datetime | None = field(description="Market time of the last mark; null before the first.")
    batch: Long = field(description="Batch of quotes at which the account was last marked.")
    balance: Decimal = field(description="Balance: cash without open profit.")
    equity: Decimal = field(description="Equity: balance plus open profit or loss.")
    day_start_balance: Decimal | None = field(description="Balance at the start of the trading day.")
    day_start_equity: Decimal | None = field(description="Equity at the start of the trading day.")
    day_low: Decimal | None = field(description="Lowest equity of the trading day so far.")
    day_high: Decimal | None = field(description="Highest equity of the trading day so far.")
    peak_equity: Decimal | None = field(description="Highest equity since the phase started.")
    ended_at: strawberry.Private[datetime | None]

    @computed("Progress on each configured rule.")
    async def progress(self, info: Info) -> list[RuleProgress] | None:
        return [RuleProgress.of(at) for at in await info.context.loaders.progress(int(self.account_id))]

    @computed("Challenge with all its fields.")
    async def challenge(self, info: Info) -> Challenge | None:
        return await read_one(info, CHALLENGES, int(self.id))

    @computed("Account of the current phase.")
    async def account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, int(self.account_id))
