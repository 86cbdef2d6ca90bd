"""Challenges with their phases, trading days, metrics, breaches and events."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry import ID, field
from strawberry.scalars import JSON

from domain.lifecycles import ChallengeStatus
from domain.rule_table import Rule
from domain.terms import Consequence, PhaseType
from schema.calendar import DayDate
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
from schema.engine.relations import Owned, RowLink, Values, all_of, newest_of, row_of
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
from schema.rule_progress import RuleProgress
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


PHASES_MAX = 100
DAYS_MAX = 1000


def _current(phases: Mapping[int, list[Row]], ids: Values, indexes: Values) -> Values:
    return [
        next((row for row in phases.get(key, ()) if row["phase_index"] == index and not row["superseded"]), None)
        for key, index in zip(ids, indexes, strict=True)
    ]


CURRENT_PHASE = RowLink(Owned(PHASES, "challenge", PHASES_MAX), ("id", "current_phase_index"), _current)


@strawberry.type(description="Snapshot of a phase's figures, in its account's currency.")
class Metric(FromRow, listing=METRICS):
    market_time: datetime = field(description="Market time of the snapshot.")
    batch: Long = field(description="Batch of quotes at which the account was marked.")
    account_id: ID = field(description="Account number.")
    balance: Decimal = field(description="Balance: cash without open profit.")
    equity: Decimal = field(description="Equity: balance plus open profit or loss.")
    day_start_balance: Decimal = field(description="Balance at the start of the trading day.")
    day_start_equity: Decimal = field(description="Equity at the start of the trading day.")
    day_low: Decimal = field(description="Lowest equity of the trading day so far.")
    day_high: Decimal = field(description="Highest equity of the trading day so far.")
    peak_equity: Decimal = field(description="Highest equity since the phase started.")


async def _latest(info: Info, parent: str, key: int) -> Metric | None:
    """Return the newest snapshot of a phase or a challenge."""
    page = await info.context.loaders.page(LATEST, parent, key, PageRequest(1))
    return Metric.of(page.rows[0]) if page.rows else None


@strawberry.type(
    description="A broken or fulfilled rule, with all figures needed to derive the verdict again. Amounts are in the "
    "account's currency."
)
class Breach(FromRow, listing=BREACHES):
    id: ID = field(description="Breach id.")
    phase_index: int = field(description="Number of the phase, counted from 1.")
    account_id: ID = field(description="Account number.")
    rule: Rule = field(description="Rule that was applied.")
    consequence: Consequence = field(description="Consequence for the account.")
    day: int = field(description="Number of the trading day within the phase, counted from 1.")
    day_date: DayDate = field(description="Date of the trading day.")
    market_time: datetime = field(description="Market time of the breach.")
    batch: Long = field(description="Batch of quotes at which the breach was detected.")
    limit: Decimal = field(description="Configured limit: a percentage, an amount or a count.")
    floor: Decimal = field(description="Level derived from the limit: a floor, a ceiling or a count.")
    observed: Decimal = field(description="Value that was compared with the level.")
    headroom: Decimal = field(description="Distance to the level; negative if the level was passed.")
    derivation: JSON = field(description="Figures from which the level was derived.")
    ledger_seq: Long = field(description="Number of the ledger row on which the breach rests.")
    ledger_hash: str = field(description="Hash of the ledger row `ledgerSeq`, in hex.")
    terms_hash: str = field(description="Hash of the terms, in hex.")
    recorded_at: datetime = field(description="Time at which the breach was written.")
    marks_text: strawberry.Private[str]

    @computed(
        "Open positions at the breach, with their prices, conversion rates and ages. Empty for breaches recorded by "
        "the first edition of Propdesk."
    )
    def marks(self) -> list[EvidenceMark]:
        return EvidenceMark.every(self.marks_text)

    @computed(
        "Reinstatement that set the verdict aside; null while the verdict stands.", newest_of(REINSTATEMENTS, "breach")
    )
    async def overturned(self, info: Info) -> Reinstatement | None:
        return next(iter(await read_owned(info, REINSTATEMENTS, ("breach", int(self.id)), 1)), None)


@strawberry.type(description="A trading day of a phase. Amounts are in the account's currency.")
class ChallengeDay(FromRow, listing=DAYS):
    phase_index: int = field(description="Number of the phase, counted from 1.")
    number: int = field(description="Number of the trading day within the phase, counted from 1.")
    date: DayDate = field(description="Date that names the trading day.")
    start_balance: Decimal = field(description="Balance at the start of the trading day.")
    start_equity: Decimal = field(description="Equity at the start of the trading day.")
    balance: Decimal = field(description="Balance at the end of the trading day, or now if it has not ended.")
    equity: Decimal = field(description="Equity at the end of the trading day, or now if it has not ended.")
    low: Decimal = field(description="Lowest equity of the trading day.")
    high: Decimal = field(description="Highest equity of the trading day.")
    traded: bool = field(description="True if an order was filled on the trading day.")
    ends_at: datetime = field(description="Time at which the trading day ends.")
    closed: bool = field(description="True if the trading day has ended.")


@strawberry.type(
    description="A phase of a challenge: one run on one account, or, while PENDING, a phase still to come."
)
class ChallengePhase(FromRow, listing=PHASES):
    id: ID = field(description="Phase id.")
    phase_index: int = field(description="Number of the phase in the challenge, counted from 1.")
    phase_type: PhaseType = field(description="Type of the phase.")
    name: str = field(description="Name of the phase in the terms.")
    status: ChallengeStatus = field(description="State of the phase.")
    started_at: datetime | None = field(
        description="Market time at which its account started; null until then. Rules are not judged before it."
    )
    ended_at: datetime | None = field(description="Market time at which the phase ended; null until then.")
    end_reason: str | None = field(description="Rule or other reason that ended the phase; null until it has ended.")
    initial_balance: Decimal = field(description="Balance with which the phase begins, in the account's currency.")
    start_equity: Decimal | None = field(description="Equity at the start in the account's currency; null before.")
    run: int = field(description="Number of this run of the phase, counted from 1; each reinstatement adds a run.")
    superseded: bool = field(description="True if the verdict of this run was set aside and a later run replaces it.")
    account_id: strawberry.Private[int | None]

    @computed(
        "Reinstatement that set the verdict of this run aside; null if none did.", newest_of(REINSTATEMENTS, "phase")
    )
    async def overturned(self, info: Info) -> Reinstatement | None:
        return next(iter(await read_owned(info, REINSTATEMENTS, ("phase", int(self.id)), 1)), None)

    @computed(
        "Reinstatement that began this run in place of a failed one; null if none did.",
        newest_of(REINSTATEMENTS, "new_phase"),
    )
    async def reinstatement(self, info: Info) -> Reinstatement | None:
        return next(iter(await read_owned(info, REINSTATEMENTS, ("new_phase", int(self.id)), 1)), None)

    @computed("Account of the phase; null before the phase is reached.", row_of(ACCOUNTS, "account_id"))
    async def account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.account_id)

    @computed(
        "Newest snapshot of the figures, or the last one after the end; null if none is kept.",
        newest_of(LATEST, "phase"),
    )
    async def latest_metric(self, info: Info) -> Metric | None:
        return await _latest(info, "phase", int(self.id))

    @computed("Progress on each configured rule at the last mark. Empty before the phase starts; null in quarantine.")
    async def progress(self, info: Info) -> list[RuleProgress] | None:
        account_id = self.account_id
        return [RuleProgress.of(at) for at in await info.context.loaders.progress(account_id)] if account_id else []

    @computed("Trading days in order; at most the newest 1000.")
    async def days(self, info: Info) -> list[ChallengeDay]:
        return (await read_owned(info, DAYS, ("phase", int(self.id)), DAYS_MAX))[::-1]


@strawberry.type(description="A challenge: a purchased program in progress, or ended.")
class Challenge(FromRow, listing=CHALLENGES):
    id: ID = field(description="Challenge id.")
    brand: str = field(description="Name of the brand.")
    client: str = field(description="Client who bought the challenge.")
    status: ChallengeStatus = field(description="State of the challenge.")
    current_phase_index: int = field(description="Number of the current phase, counted from 1.")
    created_at: datetime = field(description="Time of the purchase.")
    ended_at: datetime | None = field(description="Market time at which the challenge ended; null until then.")
    end_reason: str | None = field(description="Reason for the end; null until the challenge has ended.")
    program_changed: bool | None = field(
        description="True if the program, including its status, has changed since the purchase, so that `program` may "
        "differ from what was sold; null once the program is deleted."
    )
    purchase_id: strawberry.Private[int | None]
    program_id: strawberry.Private[int | None]
    account_id: strawberry.Private[int | None]
    terms_hash: strawberry.Private[str]
    terms_version: strawberry.Private[int]

    @computed("Purchase of the challenge; null once it is deleted.", row_of(PURCHASES, "purchase_id"))
    async def purchase(self, info: Info) -> Annotated["Purchase", strawberry.lazy("schema.purchases")] | None:
        return await read_one(info, PURCHASES, self.purchase_id)

    @computed("Program in its current state; null once it is deleted.", row_of(PROGRAMS, "program_id"))
    async def program(self, info: Info) -> Program | None:
        return await read_one(info, PROGRAMS, self.program_id)

    @computed(
        "Terms of the challenge, frozen at the purchase; null if this version of Propdesk cannot read them.",
        FROZEN_TERMS,
    )
    def terms(self) -> Terms | None:
        return Terms(hash=self.terms_hash, version=self.terms_version)

    @computed("Account of the current phase; null if there is none.", row_of(ACCOUNTS, "account_id"))
    async def account(self, info: Info) -> Annotated["Account", strawberry.lazy("schema.accounts")] | None:
        return await read_one(info, ACCOUNTS, self.account_id)

    @computed(
        "All phases in order. Phases not reached yet are PENDING and have no account. A phase whose verdict was set "
        "aside appears once for each of its runs.",
        all_of(PHASES, "challenge", PHASES_MAX),
    )
    async def phases(self, info: Info) -> list[ChallengePhase]:
        return await read_owned(info, PHASES, ("challenge", int(self.id)), PHASES_MAX)

    @computed("Current phase.", CURRENT_PHASE)
    async def current_phase(self, info: Info) -> ChallengePhase | None:
        phases = await read_owned(info, PHASES, ("challenge", int(self.id)), PHASES_MAX)
        in_force = (phase for phase in phases if not phase.superseded)
        return next((phase for phase in in_force if phase.phase_index == self.current_phase_index), None)

    @computed(
        "Newest snapshot of the current phase, or the last one after the end; null if none is kept.",
        newest_of(LATEST, "challenge"),
    )
    async def latest_metric(self, info: Info) -> Metric | None:
        return await _latest(info, "challenge", int(self.id))

    @computed("Newest breach; null if there is none.", newest_of(BREACHES, "challenge"))
    async def latest_breach(self, info: Info) -> Breach | None:
        return next(iter(await read_owned(info, BREACHES, ("challenge", int(self.id)), 1)), None)

    @computed(
        "Trading days in order, at most the newest 1000, of one phase or of all. Of a phase with several runs, the "
        "days of the last run."
    )
    async def days(
        self,
        info: Info,
        phase_index: Annotated[
            int | None, strawberry.argument(description="Number of the phase, counted from 1; all phases if left out.")
        ] = None,
    ) -> list[ChallengeDay]:
        filters = () if phase_index is None else (("phase_index", (phase_index,)),)
        page = await info.context.loaders.page(DAYS, "challenge", int(self.id), PageRequest(DAYS_MAX), filters)
        return [object_of_row(DAYS, row) for row in reversed(page.rows)]

    @computed("Snapshots that are still kept, newest first.")
    async def metrics(self, info: Info, first: FirstLong = 20, after: After = None) -> Connection[Metric]:
        return await read_owned_page(
            info, METRICS, ("challenge", int(self.id)), page_request(METRICS, first, after, most=LONG)
        )

    @computed("Breaches, newest first.")
    async def breaches(self, info: Info, first: FirstLong = 20, after: After = None) -> Connection[Breach]:
        return await read_owned_page(
            info, BREACHES, ("challenge", int(self.id)), page_request(BREACHES, first, after, most=LONG)
        )

    @computed("Conditions for requesting a payout now.")
    async def payout_eligibility(self, info: Info) -> PayoutEligibility:
        return PayoutEligibility.of(await info.context.loaders.eligibility(self.account_id))

    @computed("Payouts, newest first.")
    async def payouts(self, info: Info, first: First = 20, after: After = None) -> Connection[Payout]:
        return await read_owned_page(info, PAYOUTS, ("challenge", int(self.id)), page_request(PAYOUTS, first, after))

    @computed("Events of the challenge, newest first.")
    async def events(self, info: Info, first: FirstLong = 20, after: After = None) -> Connection[ChallengeEvent]:
        return await read_owned_page(
            info, EVENTS, ("challenge", int(self.id)), page_request(EVENTS, first, after, most=LONG)
        )


@strawberry.input(description="Filter for challenges.")
class ChallengeFilter:
    brand: str | None = field(default=None, description="Only challenges of this brand.")
    status: list[ChallengeStatus] | None = field(default=None, description="Only challenges in one of these states.")
    client: str | None = field(default=None, description="Only challenges of this client.")
    program_id: ID | None = field(default=None, description="Only challenges of this program.")
    purchase_id: ID | None = field(default=None, description="Only challenges of this purchase.")
    account_id: ID | None = field(default=None, description="Only the challenge of this account, in any phase.")
    phase_type: list[PhaseType] | None = field(
        default=None, description="Only challenges whose current phase has one of these types."
    )
    created_from: datetime | None = field(default=None, description="Only challenges bought at or after this time.")
    created_before: datetime | None = field(default=None, description="Only challenges bought before this time.")
    text: str | None = field(
        default=None,
        description="Only the challenge with this id, or challenges with this text (case-insensitive) in the client, "
        "the program's name or, for MANAGER and ADMIN, the purchase's external reference.",
    )


@strawberry.type(description="Number of challenges in each state.")
class ChallengeCounters:
    pending: int = field(description="Challenges that have not begun.")
    active: int = field(description="Running.")
    passed: int = field(description="Challenges that were passed.")
    failed: int = field(description="Challenges that failed by a breach.")
    cancelled: int = field(description="Challenges that ended without a verdict.")
    total: int = field(description="All challenges.")
    exact: bool = field(
        description="True if the counts are complete. False if they are lower bounds, because counting stops after a "
        "number of rows: by default 100,000 of each state, or 10,000 rows examined for a filter."
    )

    @classmethod
    def of(cls, counts: Mapping[int, int], exact: bool) -> Self:
        """Return the counters from the numbers by status."""
        named = {status.name.lower(): counts.get(status.value, 0) for status in ChallengeStatus}
        return cls(**named, total=sum(counts.values()), exact=exact)


@strawberry.input(description="Challenge to cancel.")
class CancelChallengeInput:
    id: ID = field(description="Challenge id. The challenge must not have ended.")
    reason: str = field(description=f"Reason. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)


@strawberry.type(
    description="Result of cancelling a challenge: its account is locked, and its positions are closed at the next "
    "fresh quotes."
)
class CancelChallengePayload(Payload):
    challenge: Challenge | None = field(default=None, description="Challenge after the request; null if refused.")
