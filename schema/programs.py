"""Programs and their phases: types, inputs and payloads."""

import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Self, cast

import strawberry
from strawberry import ID, UNSET, field
from strawberry.scalars import JSON

from domain.calendar import is_zone, zone_warning
from domain.errors import Refused
from domain.lifecycles import ProgramStatus
from domain.programs import Draft
from domain.terms import (
    PhaseType,
    TradingDay,
)
from domain.validation import api_name
from schema.calendar import DAYS_SHOWN, Days, TradingDayStart, trading_days
from schema.engine.computed_fields import computed
from schema.engine.paging import read_owned
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload, SavePayload, UserError, user_errors
from schema.phase_inputs import StepInput
from services.views.lists import PROGRAMS, STEPS

STEPS_MAX = 100
ZONE = (
    "Time zone of the trading days: an IANA name such as America/New_York, which includes daylight-saving time, or a "
    "fixed offset in the notation of trading firms: GMT+3 is three hours ahead of UTC."
)


@strawberry.type(
    description="A phase of a program on sale. In fields ending in `Pct`, 5 means 5 %. A limit of 0 is not configured."
)
class ProgramStep(FromRow, listing=STEPS):
    id: ID = field(description="Id of the step. Replacing the steps of a program gives each a new id.")
    program_id: ID = field(description="Program id.")
    phase_index: int = field(description="Number of the phase, counted from 1.")
    phase_type: PhaseType = field(description="Type of the phase.")
    name: str = field(description="Name of the phase.")
    account_group: str = field(description="Name of the account group in which the phase's account is opened.")
    initial_balance: Decimal = field(description="Initial balance of the account, from the group.")
    currency: str = field(description="Currency code of the account, from the group.")
    duration_days: int = field(description="Maximum duration in days, traded or not; the last one ends the phase.")
    max_daily_loss_pct: Decimal = field(description="Maximum loss per trading day, in percent.")
    max_total_loss_pct: Decimal = field(description="Maximum total loss, in percent.")
    max_daily_profit_pct: Decimal = field(description="Maximum profit per trading day, in percent.")
    profit_target_pct: Decimal = field(description="Profit at which the phase is passed, in percent.")
    profit_split: Decimal = field(description="Client's share of the profit, 0.8 for 80 %. Only in a funded phase.")
    min_trading_days: int = field(description="Minimum number of trading days to pass, or for the first payout.")
    max_trading_days: int = field(description="Maximum number of counted trading days; the last one ends the phase.")
    max_positions: int = field(description="Maximum number of open positions.")
    best_day_pct: Decimal = field(
        description="Maximum share of the net profit made on the best day, in percent. A larger share delays passing "
        "or a payout."
    )
    profitable_days: int = field(description="Minimum number of profitable days to pass, or for the first payout.")
    profitable_day_pct: Decimal = field(description="Minimum profit of a profitable day, in % of the initial balance.")
    inactivity_days: int = field(description="Maximum number of days in a row without a fill.")
    trading_day: TradingDay = field(description="Condition for a day to count as a trading day.")
    trading_day_pct: Decimal = field(
        description="With `tradingDay` MOVED: minimum gain or loss of a trading day, in % of the initial balance."
    )
    warn_at: list[Decimal] = field(description="Shares of each limit at which an early warning is sent, such as 0.8.")
    created_at: datetime = field(description="Time at which the step was first saved.")
    updated_at: datetime = field(description="Time at which the step was last saved.")
    limits_data: strawberry.Private[str]
    payout_data: strawberry.Private[str]

    @computed("Details of the limits that differ from the defaults, with the fields of LimitsInput.")
    def limits(self) -> JSON:
        return cast("JSON", _spelt(json.loads(self.limits_data)))

    @computed("Conditions for payouts that are set, with the fields of PayoutTermsInput.")
    def payout(self) -> JSON:
        return cast("JSON", _spelt(json.loads(self.payout_data)))


@strawberry.type(description="A program on sale: evaluation phases, which a funded phase may follow.")
class Program(FromRow, listing=PROGRAMS):
    id: ID = field(description="Program id.")
    brand: str = field(description="Name of the brand.")
    name: str = field(description="Name of the program.")
    description: str = field(description="Description for clients.")
    price: Decimal = field(description="Price of a challenge.")
    price_currency: str = field(description="Currency code of the price.")
    profit_split: Decimal = field(
        description="Client's share of the funded phase's profit, 0.8 for 80 %; 0 without a funded phase."
    )
    status: ProgramStatus = field(description="State of the program.")
    sort_index: int = field(description="Sort position among the programs of the brand; lower comes first.")
    zone: str = field(description="Time zone of the trading days: an IANA name, or an offset such as GMT+3.")
    day_start: str = field(description="Local time at which a trading day begins, HH:MM:SS.")
    version: int = field(description="Version number; every change raises it. Updates must name it.")
    created_at: datetime = field(description="Time at which the program was created.")
    updated_at: datetime = field(description="Time of the last change.")

    @computed("Phases in order.")
    async def steps(self, info: Info) -> list[ProgramStep]:
        return await read_owned(info, STEPS, ("program", int(self.id)), STEPS_MAX)

    @computed("Start times of the next trading days, from the current market time on.")
    async def next_trading_days(self, info: Info, first: Days = DAYS_SHOWN) -> list[TradingDayStart]:
        now = await info.context.loaders.market_time()
        return trading_days(self.zone, time.fromisoformat(self.day_start), now, first)


@strawberry.input(description="New program. It starts DISABLED.")
class CreateProgramInput:
    name: str = field(description="Name of the program.")
    price: Decimal = field(description="Price of a challenge; 0 is free.")
    price_currency: str = field(description="Currency code of the price.")
    steps: list[StepInput] = field(description="Phases of the program.")
    description: str | None = field(default=None, description="Description for clients.")
    sort_index: int | None = field(
        default=None, description="Sort position among the programs of the brand; lower comes first."
    )
    zone: str | None = field(default=None, description=f"{ZONE} Default UTC.")
    day_start: str | None = field(
        default=None, description="Local time at which a trading day begins, HH:MM; default 00:00."
    )
    brand: str | None = field(default=None, description="Brand name. Required for an ADMIN; a MANAGER uses its own.")


@strawberry.input(description="Changes of a program. A field that is left out keeps its value.")
class UpdateProgramInput:
    id: ID = field(description="Program id.")
    expected_version: int = field(
        description="Version on which the change is based. If another version is stored, the change is refused."
    )
    name: str | None = field(default=UNSET, description="Name of the program.")
    description: str | None = field(default=UNSET, description="Description for clients.")
    price: Decimal | None = field(default=UNSET, description="Price of a challenge; 0 is free.")
    price_currency: str | None = field(default=UNSET, description="Currency code of the price.")
    sort_index: int | None = field(
        default=UNSET, description="Sort position among the programs of the brand; lower comes first."
    )
    zone: str | None = field(default=UNSET, description=ZONE)
    day_start: str | None = field(default=UNSET, description="Local time at which a trading day begins, HH:MM.")
    status: ProgramStatus | None = field(default=UNSET, description="State of the program.")
    steps: list[StepInput] | None = field(
        default=UNSET, description="Phases of the program; the list replaces the stored one."
    )


@strawberry.type(description="Program after a save.")
class ProgramPayload(Payload):
    program: Program | None = field(default=None, description="Program after the save; null if refused.")


@strawberry.type(description="Result of creating a program.")
class CreateProgramPayload(ProgramPayload): ...


@strawberry.type(description="Result of changing a program.")
class UpdateProgramPayload(SavePayload):
    program: Program | None = field(default=None, description="Program after the save; null if refused.")


@strawberry.input(description="Program to delete, together with everything sold of it.")
class DeleteProgramInput:
    id: ID = field(description="Program id.")
    reason: str = field(
        description=f"Reason. {INTERNAL} The audit also stores the numbers of deleted rows and a hash over them."
    )
    shown_reason: str | None = field(default=None, description=SHOWN)


@strawberry.type(description="Numbers of deleted rows.")
class DeletedRows:
    programs: int = field(description="Number of programs: 1 once the deletion is complete.")
    phases: int = field(description="Phases of the program.")
    purchases: int = field(description="Purchases of the program.")
    challenges: int = field(description="Challenges of the program.")
    challenge_phases: int = field(description="Runs of the challenges' phases.")
    days: int = field(description="Daily snapshots of the challenges.")
    breaches: int = field(description="Breaches of the challenges.")
    metrics: Long = field(description="Metric snapshots of the challenges.")
    cancelled: int = field(description="Deleted challenges that were still running and were cancelled first.")


@strawberry.type(description="Result of deleting a program.")
class DeleteProgramPayload(Payload):
    deleted: DeletedRows | None = field(
        default=None, description="Rows deleted since the deletion began; null if refused."
    )
    finished: bool = field(
        default=False, description="True if the deletion is complete; if false, repeat the mutation."
    )


@strawberry.type(description="Result of validating a program.")
class ProgramValidation:
    valid: bool = field(description="True if the program could be saved.")
    problems: list[UserError] = field(description="All errors, each with the path of its field.")
    warnings: list[str] = field(
        default_factory=list,
        description="Warnings about values that are allowed but may not be intended, such as the inverted sign of an "
        "Etc/GMT zone.",
    )
    next_trading_days: list[TradingDayStart] = field(
        default_factory=list, description="Start times of the next seven trading days; empty if the time zone is wrong."
    )

    @classmethod
    def refused(cls, refusal: Refused) -> Self:
        """Return the result for a request that was refused before validation, for example because an admin named no
        brand.
        """
        return cls(valid=False, problems=user_errors(refusal))


def validation_of(draft: Draft, wrong: list[UserError], now: datetime) -> ProgramValidation:
    """Return the errors and warnings of a draft, and its next trading days after the market time `now`."""
    warning, start, days = zone_warning(draft.zone), draft.day_start, list[TradingDayStart]()
    if is_zone(draft.zone) and isinstance(start, time) and start.tzinfo is None:
        days = trading_days(draft.zone, start, now, DAYS_SHOWN)
    warnings = [warning] if warning else []
    return ProgramValidation(valid=not wrong, problems=wrong, warnings=warnings, next_trading_days=days)


@strawberry.type(description="The rules of a known firm, as a starting point for a program.")
class ProgramPreset:
    name: str = field(description="Name of the preset, such as ftmo_2step.")
    title: str = field(description="Name that the firm gives the program.")
    source: str = field(description="URL of the public page from which the rules were taken.")
    retrieved_on: date = field(
        description="Date on which the page `source` was read; firms may have changed their rules since. The notes "
        "say who read it."
    )
    notes: list[str] = field(description="Notes on sources, and on rules of the firm that Propdesk does not have.")
    program: JSON = field(description="Input for `createProgram` (CreateProgramInput), to be edited and sent.")


@strawberry.input(description="Filter for programs.")
class ProgramFilter:
    brand: str | None = field(default=None, description="Only programs of this brand.")
    status: list[ProgramStatus] | None = field(
        default=None, description="Only programs in one of these states; all but ARCHIVED if left out."
    )
    phase_type: PhaseType | None = field(default=None, description="Only programs with a phase of this type.")
    text: str | None = field(
        default=None, description="Only programs with this text in the name, or the program with this id."
    )
    created_from: datetime | None = field(default=None, description="Only programs created at or after this time.")
    created_before: datetime | None = field(default=None, description="Only programs created before this time.")


def _spelt(data: Any) -> Any:
    """Return stored data with the API's names of its keys."""
    return {api_name(name): _spelt(value) for name, value in data.items()} if isinstance(data, dict) else data


def input_fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of an input that are set and not null, by their Python names."""
    return {name: item for name, item in vars(value).items() if item is not None and item is not UNSET}
