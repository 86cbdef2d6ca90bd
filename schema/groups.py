"""Account groups and their execution policies."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import ID, UNSET, field
from strawberry.scalars import JSON

from domain.terms import GroupKind, Slippage
from schema.engine.row_types import FromRow
from schema.payloads import SavePayload
from services.views.lists import GROUPS


@strawberry.type(description="Where the accounts of a phase are opened: deposit, currency and execution policy.")
class AccountGroup(FromRow, listing=GROUPS):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    name: str = field(description="Its name, unique within the brand.")
    kind: GroupKind = field(description="What its accounts are for.")
    currency: str = field(description="The currency of its accounts.")
    default_deposit: Decimal = field(description="The initial balance of its accounts.")
    policy: JSON = field(description="The execution policy its accounts are opened with.")
    version: int = field(description="Raised by every change.")
    created_at: datetime = field(description="When it was first saved.")
    updated_at: datetime = field(description="When it was last saved.")


@strawberry.input(
    description="Fields of an execution policy. What is left out stays as it is, or in a new group at its default; "
    "null is the default. Amounts are in the group's currency."
)
class PolicyInput:
    leverage_max: Decimal | None = field(default=UNSET, description="The most notional per equity; default 5.")
    notional_max: Decimal | None = field(default=UNSET, description="The most notional of one position; default 50000.")
    positions_max: int | None = field(default=UNSET, description="The most open positions; default 5.")
    orders_max: int | None = field(default=UNSET, description="The most open orders; default 10.")
    long_allowed: bool | None = field(default=UNSET, description="Whether the LONG side may be opened; default true.")
    short_allowed: bool | None = field(default=UNSET, description="Whether the SHORT side may be opened; default true.")
    symbols: list[str] | None = field(
        default=UNSET, description="What may be traded; empty, the default, is everything."
    )
    fee_bps: Decimal | None = field(default=UNSET, description="The fee in hundredths of a percent; default 10.")
    slippage: Slippage | None = field(default=UNSET, description="The fill price; default MID_PRICE.")
    quote_age_seconds_max: int | None = field(default=UNSET, description="The oldest quote to fill at; default 60.")
    position_equity_pct_max: Decimal | None = field(
        default=UNSET, description="The most notional of one position as a percentage of the equity; default 50."
    )
    liquidation_pct: Decimal | None = field(
        default=UNSET,
        description="At or below this percentage of the starting balance the account is liquidated; default 50.",
    )


@strawberry.input(description="An account group to save; of an existing one what is left out stays.")
class SaveAccountGroupInput:
    name: str = field(description="Its name, unique within the brand.")
    kind: GroupKind | None = field(default=UNSET, description="What its accounts are for; needed at first.")
    currency: str | None = field(default=UNSET, description="The currency of its accounts; needed at first.")
    default_deposit: Decimal | None = field(
        default=UNSET, description="The initial balance of its accounts; needed at first."
    )
    policy: PolicyInput | None = field(
        default=UNSET, description="The fields of the execution policy to change; null: all at their defaults."
    )
    brand: str | None = field(default=None, description="The brand; an ADMIN names it, a MANAGER's is its own.")
    expected_version: int | None = field(
        default=None, description="The version this change was made from; 0 where there is to be none yet."
    )


@strawberry.type(description="The saved account group.")
class SaveAccountGroupPayload(SavePayload):
    account_group: AccountGroup | None = field(default=None, description="The group as it is now; null if not saved.")


@strawberry.input(description="Which account groups.")
class AccountGroupFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    kind: GroupKind | None = field(default=None, description="Of this kind.")
