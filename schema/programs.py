"""Programs and their steps."""

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
    Consequence,
    Enforcement,
    Measured,
    PayoutFloor,
    PercentOf,
    PhaseType,
    Reference,
    Touch,
    TradingDay,
    Trail,
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
from services.views.lists import PROGRAMS, STEPS

STEPS_MAX = 100
ZONE = (
    "The zone of its trading days: an IANA name such as America/New_York, which knows the changes of the clocks, or a "
    "fixed offset as firms print it: GMT+3 is three hours ahead of UTC."
)


@strawberry.type(description="A phase of a program as it is sold. Percentages: 5 means 5 %; 0 means not configured.")
class ProgramStep(FromRow, listing=STEPS):
    id: ID = field(description="Its number; a new one whenever the steps are replaced.")
    program_id: ID = field(description="The program it is a phase of.")
    phase_index: int = field(description="Its place, counted from 1.")
    phase_type: PhaseType = field(description="What it is for.")
    name: str = field(description="Its name.")
    account_group: str = field(description="The group its account is opened in.")
    initial_balance: Decimal = field(description="The group's deposit.")
    currency: str = field(description="The group's currency.")
    duration_days: int = field(description="It ends with this trading day.")
    max_daily_loss_pct: Decimal = field(description="The most loss of a day.")
    max_total_loss_pct: Decimal = field(description="The most loss in all.")
    max_daily_profit_pct: Decimal = field(description="The most profit of a day.")
    profit_target_pct: Decimal = field(description="The profit that passes it.")
    profit_split: Decimal = field(description="The client's share of the profit, 0.8 for 80 %; funded phases only.")
    min_trading_days: int = field(
        description="The least number of trading days before it can pass or, if funded, before its first payout."
    )
    max_trading_days: int = field(description="It ends with this many trading days.")
    max_positions: int = field(description="The most open positions.")
    best_day_pct: Decimal = field(
        description="The largest day's share of the net profit, at most. It delays passing or, if funded, a payout."
    )
    profitable_days: int = field(
        description="The least number of profitable days. It delays passing or, if funded, the first payout."
    )
    profitable_day_pct: Decimal = field(description="A day above this share of the initial balance is profitable.")
    inactivity_days: int = field(description="The most days without a fill.")
    trading_day: TradingDay = field(description="Which days count as trading days.")
    trading_day_pct: Decimal = field(description="For MOVED: the share of the initial balance, of gain or loss.")
    warn_at: list[Decimal] = field(description="The shares of each limit at which its use is told.")
    created_at: datetime = field(description="When it was saved.")
    updated_at: datetime = field(description="When it was last saved.")
    limits_data: strawberry.Private[str]
    payout_data: strawberry.Private[str]

    @computed("What each limit means, where it was said: a LimitsInput.")
    def limits(self) -> JSON:
        return cast("JSON", _spelt(json.loads(self.limits_data)))

    @computed("When its profit may be asked for, where it was said: a PayoutTermsInput.")
    def payout(self) -> JSON:
        return cast("JSON", _spelt(json.loads(self.payout_data)))


@strawberry.type(description="What is sold: evaluation phases, then possibly a funded one.")
class Program(FromRow, listing=PROGRAMS):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    name: str = field(description="Its name.")
    description: str = field(description="What it says about itself.")
    price: Decimal = field(description="What a challenge costs.")
    price_currency: str = field(description="The currency of the price.")
    profit_split: Decimal = field(description="The funded phase's share for the client; 0 without such a phase.")
    status: ProgramStatus = field(description="Whether it is on sale.")
    sort_index: int = field(description="Its place among the programs of the brand.")
    zone: str = field(description="The zone of its trading days: an IANA name, or an offset such as GMT+3.")
    day_start: str = field(description="The local time at which a trading day begins, HH:MM:SS.")
    version: int = field(description="Raised by each change; updates name the version they change.")
    created_at: datetime = field(description="When it was made.")
    updated_at: datetime = field(description="When it was last changed.")

    @computed("Its phases in order.")
    async def steps(self, info: Info) -> list[ProgramStep]:
        return await read_owned(info, STEPS, ("program", int(self.id)), STEPS_MAX)

    @computed("When its next trading days begin, from the market's time on, across changes of the clocks.")
    async def next_trading_days(self, info: Info, first: Days = DAYS_SHOWN) -> list[TradingDayStart]:
        now = await info.context.loaders.market_time()
        return trading_days(self.zone, time.fromisoformat(self.day_start), now, first)


@strawberry.input(description="What a limit means; what is left out has the limit's default.")
class LimitInput:
    amount: Decimal | None = field(default=None, description="A fixed amount instead of the percentage.")
    reference: Reference | None = field(default=None, description="From which figure of the day's start it counts.")
    percent_of: PercentOf | None = field(default=None, description="What the percentage is of.")
    measured: Measured | None = field(default=None, description="Which figure is held against it.")
    trail: Trail | None = field(default=None, description="What the floor follows (total loss).")
    trail_by: Reference | None = field(
        default=None, description="Which figure of a day's end TRAIL_END_OF_DAY follows; default BALANCE."
    )
    lock_at: Decimal | None = field(
        default=None, description="A trailing floor stops once it reaches the initial balance plus this."
    )
    touch: Touch | None = field(default=None, description="Whether reaching it is enough.")
    consequence: Consequence | None = field(default=None, description="What follows when it is hit.")


@strawberry.input(description="What the most open positions of a phase mean.")
class MaxPositionsInput:
    enforced: Enforcement | None = field(
        default=None, description="Whether an order beyond it is refused, or a position beyond it a breach; GATE."
    )
    consequence: Consequence | None = field(default=None, description="What follows a breach; default FAIL.")


@strawberry.input(description="What the limits of a phase mean.")
class LimitsInput:
    daily_loss: LimitInput | None = field(default=None, description="The loss of a day.")
    total_loss: LimitInput | None = field(default=None, description="The loss in all.")
    daily_profit: LimitInput | None = field(default=None, description="The profit of a day.")
    profit_target: LimitInput | None = field(default=None, description="The profit that passes the phase.")
    max_positions: MaxPositionsInput | None = field(default=None, description="The most open positions.")


@strawberry.input(description="When a funded phase's profit may be asked for; what is left out asks nothing.")
class PayoutTermsInput:
    min_profit: Decimal | None = field(default=None, description="The least gross profit, in the account's currency.")
    min_trading_days: int | None = field(
        default=None, description="The least number of trading days since the last payout, or since the start."
    )
    profitable_days: int | None = field(
        default=None, description="The least number of profitable days since the last payout, or since the start."
    )
    cycle_days: int | None = field(default=None, description="The days between payouts, and before the first.")
    floor: PayoutFloor | None = field(default=None, description="What it does to a trailing floor; default FOLLOW.")
    min_amount: Decimal | None = field(default=None, description="The least gross profit that one payout takes.")
    min_buffer: Decimal | None = field(default=None, description="The least profit that stays on the account.")
    fee_back: bool | None = field(
        default=None,
        description="Whether the purchase's price comes back to the client's wallet with the first payout.",
    )


@strawberry.input(description="A phase of a program. Percentages: 5 means 5 %; 0 means not configured.")
class StepInput:
    phase_index: int = field(description="Its place, counted from 1.")
    phase_type: PhaseType = field(description="What it is for; a funded phase is the last.")
    name: str = field(description="Its name.")
    account_group: str = field(description="The name of the group its account is opened in: DEMO, or REAL if funded.")
    duration_days: int | None = field(default=None, description="It ends with this trading day.")
    max_daily_loss_pct: Decimal | None = field(default=None, description="The most loss of a day.")
    max_total_loss_pct: Decimal | None = field(default=None, description="The most loss in all.")
    max_daily_profit_pct: Decimal | None = field(default=None, description="The most profit of a day.")
    profit_target_pct: Decimal | None = field(default=None, description="The profit that passes it.")
    profit_split: Decimal | None = field(default=None, description="The client's share, 0.8 for 80 %; funded only.")
    min_trading_days: int | None = field(
        default=None,
        description="The least number of trading days before it can pass or, if funded, before its first payout.",
    )
    max_trading_days: int | None = field(default=None, description="It ends with this many trading days.")
    max_positions: int | None = field(default=None, description="The most open positions.")
    best_day_pct: Decimal | None = field(
        default=None,
        description="The largest day's share of the net profit, at most. It delays passing or, if funded, a payout.",
    )
    profitable_days: int | None = field(
        default=None,
        description="The least number of profitable days. It delays passing or, if funded, the first payout.",
    )
    profitable_day_pct: Decimal | None = field(
        default=None, description="A day above this share of the initial balance is profitable."
    )
    inactivity_days: int | None = field(default=None, description="The most days without a fill.")
    trading_day: TradingDay | None = field(default=None, description="Which days count as trading days; default FILL.")
    trading_day_pct: Decimal | None = field(
        default=None, description="For MOVED, above 0: the share of the initial balance that a day's result must reach."
    )
    warn_at: list[Decimal] | None = field(
        default=None, description="Shares of each limit, above 0 and below 1, at which its use is told."
    )
    payout: PayoutTermsInput | None = field(default=None, description="When the profit may be asked for; funded only.")
    limits: LimitsInput | None = field(default=None, description="What the limits mean, where not the default.")


@strawberry.input(description="A program to make; it begins DISABLED.")
class CreateProgramInput:
    name: str = field(description="Its name.")
    price: Decimal = field(description="What a challenge costs; 0 is free.")
    price_currency: str = field(description="The currency of the price.")
    steps: list[StepInput] = field(description="Its phases.")
    description: str | None = field(default=None, description="What it says about itself.")
    sort_index: int | None = field(default=None, description="Its place among the programs of the brand.")
    zone: str | None = field(default=None, description=f"{ZONE} Default UTC.")
    day_start: str | None = field(default=None, description="When a trading day begins, HH:MM; default 00:00.")
    brand: str | None = field(default=None, description="The brand; an ADMIN names it, a MANAGER's is its own.")


@strawberry.input(description="What to change of a program; what is left out stays.")
class UpdateProgramInput:
    id: ID = field(description="The program.")
    expected_version: int = field(description="The version this change was made from.")
    name: str | None = field(default=UNSET, description="Its name.")
    description: str | None = field(default=UNSET, description="What it says about itself.")
    price: Decimal | None = field(default=UNSET, description="What a challenge costs; 0 is free.")
    price_currency: str | None = field(default=UNSET, description="The currency of the price.")
    sort_index: int | None = field(default=UNSET, description="Its place among the programs of the brand.")
    zone: str | None = field(default=UNSET, description=ZONE)
    day_start: str | None = field(default=UNSET, description="When a trading day begins, HH:MM.")
    status: ProgramStatus | None = field(default=UNSET, description="Whether it is on sale.")
    steps: list[StepInput] | None = field(default=UNSET, description="Its phases, replacing all it had.")


@strawberry.type(description="The saved program.")
class ProgramPayload(Payload):
    program: Program | None = field(default=None, description="The program as it is now; null if it was not saved.")


@strawberry.type(description="The new program.")
class CreateProgramPayload(ProgramPayload): ...


@strawberry.type(description="The changed program.")
class UpdateProgramPayload(SavePayload):
    program: Program | None = field(default=None, description="The program as it is now; null if it was not saved.")


@strawberry.input(description="The program to delete, with all that was sold of it.")
class DeleteProgramInput:
    id: ID = field(description="The program.")
    reason: str = field(description=f"Why. {INTERNAL} With it stand the counters and a hash over what went.")
    shown_reason: str | None = field(default=None, description=SHOWN)


@strawberry.type(description="How many rows went.")
class DeletedRows:
    programs: int = field(description="The program.")
    phases: int = field(description="Its phases.")
    purchases: int = field(description="Its purchases.")
    challenges: int = field(description="Its challenges.")
    challenge_phases: int = field(description="The runs of their phases.")
    days: int = field(description="Their daily snapshots.")
    breaches: int = field(description="Their breaches.")
    metrics: Long = field(description="Their metric snapshots.")
    cancelled: int = field(description="Of the challenges those that ran, and were called off first.")


@strawberry.type(description="What was deleted.")
class DeleteProgramPayload(Payload):
    deleted: DeletedRows | None = field(
        default=None, description="What went since the deletion began; null if nothing was deleted."
    )
    finished: bool = field(
        default=False, description="Whether all has gone; otherwise ask again, and the deletion goes on."
    )


@strawberry.type(description="Whether a program could be saved as it is.")
class ProgramValidation:
    valid: bool = field(description="Whether it could.")
    problems: list[UserError] = field(description="Everything that is wrong with it, each at its field.")
    warnings: list[str] = field(
        default_factory=list, description="What is allowed and may not be meant, such as the sign of an Etc/GMT zone."
    )
    next_trading_days: list[TradingDayStart] = field(
        default_factory=list, description="When its next seven trading days would begin; none for a zone that is wrong."
    )

    @classmethod
    def refused(cls, refusal: Refused) -> Self:
        """The answer where it could not even be looked at: an admin has to name the brand."""
        return cls(valid=False, problems=user_errors(refusal))


def validation_of(draft: Draft, wrong: list[UserError], now: datetime) -> ProgramValidation:
    """What is wrong with the draft, what may surprise in it, and its next days as of the market's time."""
    warning, start, days = zone_warning(draft.zone), draft.day_start, list[TradingDayStart]()
    if is_zone(draft.zone) and isinstance(start, time) and start.tzinfo is None:
        days = trading_days(draft.zone, start, now, DAYS_SHOWN)
    warnings = [warning] if warning else []
    return ProgramValidation(valid=not wrong, problems=wrong, warnings=warnings, next_trading_days=days)


@strawberry.type(description="The rules of a known firm, to begin a program with.")
class ProgramPreset:
    name: str = field(description="Its name here, such as ftmo_2step.")
    title: str = field(description="The firm's own name for it.")
    source: str = field(description="The public page it was taken from.")
    retrieved_on: date = field(description="When that page was read, by whom the notes name; firms change their rules.")
    notes: list[str] = field(description="Where each part is from, and where the firm's rules go beyond ours.")
    program: JSON = field(description="A CreateProgramInput, to be changed and sent as it is.")


@strawberry.input(description="Which programs.")
class ProgramFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    status: list[ProgramStatus] | None = field(
        default=None, description="In one of these states; left out, all but the archived."
    )
    phase_type: PhaseType | None = field(default=None, description="With a phase of this type.")
    text: str | None = field(default=None, description="In the name, or the program's number.")
    created_from: datetime | None = field(default=None, description="Made at this time or later.")
    created_before: datetime | None = field(default=None, description="Made before this time.")


def _spelt(data: Any) -> Any:
    """Stored data with the API's names."""
    return {api_name(name): _spelt(value) for name, value in data.items()} if isinstance(data, dict) else data


def input_fields_of(value: Any) -> dict[str, Any]:
    """The fields of an input that were given and are not null, by their names here."""
    return {name: item for name, item in vars(value).items() if item is not None and item is not UNSET}
