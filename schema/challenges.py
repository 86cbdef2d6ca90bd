"""Challenges: their phases, days, metrics, breaches and events."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry import ID, field
from strawberry.scalars import JSON

from domain.lifecycles import ChallengeStatus
from domain.limit_progress import Progress
from domain.rule_table import Rule
from domain.terms import Consequence, PhaseType
from schema.engine.computed_fields import computed
from schema.engine.paging import (
    LONG,
    After,
    Connection,
    First,
    FirstLong,
    page_request,
    read_one,
    read_owned,
    read_owned_page,
)
from schema.engine.relations import Link, Owned, Values, all_of, newest_of, row_of
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow, object_of_row
from schema.engine.scalars import Long
from schema.events import ChallengeEvent
from schema.evidence import EvidenceMark
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload
from schema.payouts import Payout, PayoutEligibility
from schema.programs import Program
from schema.reinstatements import Reinstatement
from schema.terms import FROZEN_TERMS, Terms
from services.views.lists import (
    ACCOUNTS,
    BREACHES,
    CHALLENGES,
    DAYS,
    EVENTS,
    LATEST,
    METRICS,
    PAYOUTS,
    PHASES,
    PROGRAMS,
    PURCHASES,
    REINSTATEMENTS,
    PageRequest,
    Row,
)

if TYPE_CHECKING:
    from schema.accounts import Account
    from schema.purchases import Purchase

CalendarDay = date  # a field of a day is called `date`

PHASES_MAX = 100
DAYS_MAX = 1000


def _current(phases: Mapping[int, list[Row]], ids: Values, indexes: Values) -> Values:
    return [
        next((row for row in phases.get(key, ()) if row["phase_index"] == index and not row["superseded"]), None)
        for key, index in zip(ids, indexes, strict=True)
    ]


CURRENT_PHASE = Link(Owned(PHASES, "challenge", PHASES_MAX), ("id", "current_phase_index"), _current)


@strawberry.type(description="A snapshot of a phase's figures, in its account's currency.")
class Metric(FromRow, listing=METRICS):
    market_time: datetime = field(description="When, by the market's clock.")
    batch: Long = field(description="The batch it was marked at.")
    account_id: ID = field(description="The account.")
    balance: Decimal = field(description="The balance.")
    equity: Decimal = field(description="The balance and the open profit.")
    day_start_balance: Decimal = field(description="The balance at the day's start.")
    day_start_equity: Decimal = field(description="The equity at the day's start.")
    day_low: Decimal = field(description="The day's lowest equity so far.")
    day_high: Decimal = field(description="The day's highest equity so far.")
    peak_equity: Decimal = field(description="The highest equity since the phase's start.")


async def _latest(info: Info, parent: str, key: int) -> Metric | None:
    """The newest figures of a phase or a challenge."""
    page = await info.context.loaders.page(LATEST, parent, key, PageRequest(1))
    return Metric.of(page.rows[0]) if page.rows else None


@strawberry.type(description="A rule's verdict, with what it takes to derive it again.")
class Breach(FromRow, listing=BREACHES):
    id: ID = field(description="Its number.")
    phase_index: int = field(description="The phase.")
    account_id: ID = field(description="The account.")
    rule: Rule = field(description="The rule.")
    consequence: Consequence = field(description="What followed.")
    day: int = field(description="The trading day's number in the phase.")
    day_date: CalendarDay = field(description="The trading day.")
    market_time: datetime = field(description="When, by the market's clock.")
    batch: Long = field(description="The batch that revealed it.")
    limit: Decimal = field(description="The configured percentage, amount or count.")
    floor: Decimal = field(description="The level it gave: a floor, a ceiling or a count.")
    observed: Decimal = field(description="What was held against it.")
    headroom: Decimal = field(description="The distance to the level; negative beyond it.")
    derivation: JSON = field(description="How the level was derived.")
    ledger_seq: Long = field(description="The ledger row it rests on.")
    ledger_hash: str = field(description="That row's hash, in hex.")
    terms_hash: str = field(description="The hash of the terms.")
    recorded_at: datetime = field(description="When it was written.")
    marks_text: strawberry.Private[str]

    @computed(
        "The open positions it rests on, with prices, rates and their ages; none in breaches of the first edition."
    )
    def marks(self) -> list[EvidenceMark]:
        return EvidenceMark.every(self.marks_text)

    @computed(
        "Why the verdict was set aside, and what goes on; null while it stands.", newest_of(REINSTATEMENTS, "breach")
    )
    async def overturned(self, info: Info) -> Reinstatement | None:
        return next(iter(await read_owned(info, REINSTATEMENTS, ("breach", int(self.id)), 1)), None)


@strawberry.type(description="A trading day of a phase, in its account's currency.")
class ChallengeDay(FromRow, listing=DAYS):
    phase_index: int = field(description="The phase.")
    number: int = field(description="Its number in the phase; the starting day is 1.")
    date: CalendarDay = field(description="Its name.")
    start_balance: Decimal = field(description="The balance at its start.")
    start_equity: Decimal = field(description="The equity at its start.")
    balance: Decimal = field(description="The balance, at its end or now.")
    equity: Decimal = field(description="The equity, at its end or now.")
    low: Decimal = field(description="Its lowest equity.")
    high: Decimal = field(description="Its highest equity.")
    traded: bool = field(description="Whether a fill happened on it.")
    ends_at: datetime = field(description="Its boundary.")
    closed: bool = field(description="Whether it has ended.")


@strawberry.type(description="Where a phase, or an account without one, stands on one of its rules.")
class RuleProgress:
    rule: Rule = field(description="The rule.")
    limit: Decimal = field(description="The configured percentage, amount or count.")
    measured: Decimal = field(description="Where it stands.")
    level: Decimal = field(description="The floor, the ceiling, or what is needed.")
    headroom: Decimal = field(description="What is left to the level; negative beyond it.")
    done: Decimal = field(
        description="How far it has gone: the loss or profit so far, negative for its opposite; or days, or positions."
    )
    needed: Decimal = field(description="How far it is to the level in all, in the same unit.")
    used: Decimal = field(description="The share of the way to the level that is gone: 0 at the start, 1 at the level.")

    @classmethod
    def of(cls, at: Progress) -> Self:
        return cls(
            rule=at.rule,
            limit=at.limit,
            measured=at.measured,
            level=at.level,
            headroom=at.headroom,
            done=at.done,
            needed=at.needed,
            used=at.used,
        )


@strawberry.type(description="A phase of a challenge: a run on one account, or, while PENDING, what is still to come.")
class ChallengePhase(FromRow, listing=PHASES):
    id: ID = field(description="Its number.")
    phase_index: int = field(description="Its place, counted from 1.")
    phase_type: PhaseType = field(description="What it is for.")
    name: str = field(description="Its name in the terms.")
    status: ChallengeStatus = field(description="Its state.")
    started_at: datetime | None = field(description="When its account started; before it nothing is judged.")
    ended_at: datetime | None = field(description="When it ended.")
    end_reason: str | None = field(description="The rule that ended it, or what else did.")
    initial_balance: Decimal = field(description="The balance it begins with.")
    start_equity: Decimal | None = field(description="The equity at its start.")
    run: int = field(description="Which run of the phase it is, counted from 1: one more for each reinstatement.")
    superseded: bool = field(description="Whether its verdict was set aside, so that a later run stands in its place.")
    account_id: strawberry.Private[int | None]

    @computed(
        "Why its verdict was set aside, and what goes on; null if it was not.", newest_of(REINSTATEMENTS, "phase")
    )
    async def overturned(self, info: Info) -> Reinstatement | None:
        return next(iter(await read_owned(info, REINSTATEMENTS, ("phase", int(self.id)), 1)), None)

    @computed(
        "By what it began, where it goes on in the place of a failed run; else null.",
        newest_of(REINSTATEMENTS, "new_phase"),
    )
    async def reinstatement(self, info: Info) -> Reinstatement | None:
        return next(iter(await read_owned(info, REINSTATEMENTS, ("new_phase", int(self.id)), 1)), None)

    @computed("Its account; null before the phase is reached.", row_of(ACCOUNTS, "account_id"))
    async def account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.account_id)

    @computed("Its figures now, or at its end; null where none are kept.", newest_of(LATEST, "phase"))
    async def latest_metric(self, info: Info) -> Metric | None:
        return await _latest(info, "phase", int(self.id))

    @computed(
        "Where it stands on each configured rule as of the last mark; empty before it has started, null in quarantine."
    )
    async def progress(self, info: Info) -> list[RuleProgress] | None:
        account_id = self.account_id
        return [RuleProgress.of(at) for at in await info.context.loaders.progress(account_id)] if account_id else []

    @computed("Its trading days in order; the newest 1000.")
    async def days(self, info: Info) -> list[ChallengeDay]:
        return (await read_owned(info, DAYS, ("phase", int(self.id)), DAYS_MAX))[::-1]


@strawberry.type(description="The run of a purchased program.")
class Challenge(FromRow, listing=CHALLENGES):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    client: str = field(description="Whose it is.")
    status: ChallengeStatus = field(description="Its state.")
    current_phase_index: int = field(description="The phase it is in, counted from 1.")
    created_at: datetime = field(description="When it was bought.")
    ended_at: datetime | None = field(description="When it ended.")
    end_reason: str | None = field(description="What ended it.")
    program_changed: bool | None = field(
        description="Whether the program has been changed since the sale, its status included, so that `program` need "
        "not be what was sold; null once it is deleted."
    )
    purchase_id: strawberry.Private[int | None]
    program_id: strawberry.Private[int | None]
    account_id: strawberry.Private[int | None]
    terms_hash: strawberry.Private[str]
    terms_version: strawberry.Private[int]

    @computed("The sale; null once it is deleted.", row_of(PURCHASES, "purchase_id"))
    async def purchase(self, info: Info) -> Annotated["Purchase", strawberry.lazy("schema.purchases")] | None:
        return await read_one(info, PURCHASES, self.purchase_id)

    @computed("The program as it is today; null once it is deleted.", row_of(PROGRAMS, "program_id"))
    async def program(self, info: Info) -> Program | None:
        return await read_one(info, PROGRAMS, self.program_id)

    @computed("The terms it runs under, as they were sold; null where this version cannot read them.", FROZEN_TERMS)
    def terms(self) -> Terms | None:
        return Terms(hash=self.terms_hash, version=self.terms_version)

    @computed("The account of the current phase.", row_of(ACCOUNTS, "account_id"))
    async def account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.account_id)

    @computed(
        "Every phase sold, in order; those it has not reached yet are PENDING, without an account. A phase whose "
        "verdict was set aside is there once for each of its runs.",
        all_of(PHASES, "challenge", PHASES_MAX),
    )
    async def phases(self, info: Info) -> list[ChallengePhase]:
        return await read_owned(info, PHASES, ("challenge", int(self.id)), PHASES_MAX)

    @computed("The phase it is in.", CURRENT_PHASE)
    async def current_phase(self, info: Info) -> ChallengePhase | None:
        phases = await read_owned(info, PHASES, ("challenge", int(self.id)), PHASES_MAX)
        in_force = (phase for phase in phases if not phase.superseded)
        return next((phase for phase in in_force if phase.phase_index == self.current_phase_index), None)

    @computed("Its phase's figures now, or at the end; null where none are kept.", newest_of(LATEST, "challenge"))
    async def latest_metric(self, info: Info) -> Metric | None:
        return await _latest(info, "challenge", int(self.id))

    @computed("Its newest breach.", newest_of(BREACHES, "challenge"))
    async def latest_breach(self, info: Info) -> Breach | None:
        return next(iter(await read_owned(info, BREACHES, ("challenge", int(self.id)), 1)), None)

    @computed(
        "Its trading days in order, the newest 1000; of one phase, or of all. Of several runs of a phase the last."
    )
    async def days(
        self,
        info: Info,
        phase_index: Annotated[int | None, strawberry.argument(description="Of this phase.")] = None,
    ) -> list[ChallengeDay]:
        filters = () if phase_index is None else (("phase_index", (phase_index,)),)
        page = await info.context.loaders.page(DAYS, "challenge", int(self.id), PageRequest(DAYS_MAX), filters)
        return [object_of_row(DAYS, row) for row in reversed(page.rows)]

    @computed("Its snapshots as far as they are kept, newest first.")
    async def metrics(self, info: Info, first: FirstLong = 20, after: After = None) -> Connection[Metric]:
        return await read_owned_page(
            info, METRICS, ("challenge", int(self.id)), page_request(METRICS, first, after, most=LONG)
        )

    @computed("Its breaches, newest first.")
    async def breaches(self, info: Info, first: FirstLong = 20, after: After = None) -> Connection[Breach]:
        return await read_owned_page(
            info, BREACHES, ("challenge", int(self.id)), page_request(BREACHES, first, after, most=LONG)
        )

    @computed("Whether a payout can be requested, now.")
    async def payout_eligibility(self, info: Info) -> PayoutEligibility:
        return PayoutEligibility.of(await info.context.loaders.eligibility(self.account_id))

    @computed("Its payouts, newest first.")
    async def payouts(self, info: Info, first: First = 20, after: After = None) -> Connection[Payout]:
        return await read_owned_page(info, PAYOUTS, ("challenge", int(self.id)), page_request(PAYOUTS, first, after))

    @computed("What happened to it, newest first.")
    async def events(self, info: Info, first: FirstLong = 20, after: After = None) -> Connection[ChallengeEvent]:
        return await read_owned_page(
            info, EVENTS, ("challenge", int(self.id)), page_request(EVENTS, first, after, most=LONG)
        )


@strawberry.input(description="Which challenges.")
class ChallengeFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    status: list[ChallengeStatus] | None = field(default=None, description="In one of these states.")
    client: str | None = field(default=None, description="Of this client.")
    program_id: ID | None = field(default=None, description="Of this program.")
    purchase_id: ID | None = field(default=None, description="Of this purchase.")
    account_id: ID | None = field(default=None, description="With this account, of whichever phase.")
    phase_type: list[PhaseType] | None = field(default=None, description="In a phase of one of these types.")
    created_from: datetime | None = field(default=None, description="Bought at this time or later.")
    created_before: datetime | None = field(default=None, description="Bought before this time.")
    text: str | None = field(
        default=None,
        description="With this, in upper or lower case, in the client, the program's name or, for MANAGER and ADMIN, "
        "the purchase's external reference; or the challenge of this id.",
    )


@strawberry.type(description="How many challenges are in each state.")
class ChallengeCounters:
    pending: int = field(description="Not begun.")
    active: int = field(description="Running.")
    passed: int = field(description="Ended with success.")
    failed: int = field(description="Ended by a breach.")
    cancelled: int = field(description="Ended without a verdict.")
    total: int = field(description="All of them.")
    exact: bool = field(
        description="Whether these are all; false: there are at least so many, because counting ends after a limited "
        "number of rows (100,000 of each state, or 10,000 that are looked through for a filter, unless the operator "
        "says otherwise)."
    )

    @classmethod
    def of(cls, counts: Mapping[int, int], exact: bool) -> Self:
        """From the numbers by status."""
        named = {status.name.lower(): counts.get(status.value, 0) for status in ChallengeStatus}
        return cls(**named, total=sum(counts.values()), exact=exact)


@strawberry.input(description="The challenge to call off.")
class CancelChallengeInput:
    id: ID = field(description="The challenge, which has not ended.")
    reason: str = field(description=f"Why. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)


@strawberry.type(description="The cancelled challenge; its account is locked, its positions close at fresh quotes.")
class CancelChallengePayload(Payload):
    challenge: Challenge | None = field(default=None, description="The challenge as it is now; null if it was not.")
