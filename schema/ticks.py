"""Where a challenge stands, as those who follow it get it: the newest only, never stored."""

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
    description="Where a challenge stands by its current account, in that account's currency. "
    "The day's figures are null before the phase has started."
)
class ChallengeTick(FromRow, listing=TICKS):
    id: ID = field(description="The challenge.")
    status: ChallengeStatus = field(description="Its state.")
    phase_index: int = field(description="The phase it is in, counted from 1.")
    account_id: ID = field(description="The account of that phase.")
    market_time: datetime | None = field(description="The time of the mark, by the market's clock.")
    batch: Long = field(description="The batch it was marked at.")
    balance: Decimal = field(description="The balance.")
    equity: Decimal = field(description="The balance and the open profit.")
    day_start_balance: Decimal | None = field(description="The balance at the day's start.")
    day_start_equity: Decimal | None = field(description="The equity at the day's start.")
    day_low: Decimal | None = field(description="The day's lowest equity so far.")
    day_high: Decimal | None = field(description="The day's highest equity so far.")
    peak_equity: Decimal | None = field(description="The highest equity since the phase's start.")
    ended_at: strawberry.Private[datetime | None]

    @computed("Where it stands on each configured rule, and how much is left.")
    async def progress(self, info: Info) -> list[RuleProgress] | None:
        return [RuleProgress.of(at) for at in await info.context.loaders.progress(int(self.account_id))]

    @computed("The challenge itself.")
    async def challenge(self, info: Info) -> Challenge | None:
        return await read_one(info, CHALLENGES, int(self.id))

    @computed("Its current account.")
    async def account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, int(self.account_id))
