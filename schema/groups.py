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


@strawberry.type(
    description="A named set of trading conditions for accounts: initial balance, currency and execution policy."
)
class AccountGroup(FromRow, listing=GROUPS):
    id: ID = field(description="Group id.")
    brand: str = field(description="Name of the brand.")
    name: str = field(description="Name, unique within the brand.")
    kind: GroupKind = field(description="Purpose of the group's accounts.")
    currency: str = field(description="Currency code of the accounts.")
    default_deposit: Decimal = field(description="Initial balance of the accounts, in their currency.")
    policy: JSON = field(description="Execution policy with which the accounts are opened.")
    version: int = field(description="Version number; every change raises it.")
    created_at: datetime = field(description="Time of the first save.")
    updated_at: datetime = field(description="Time of the last change.")


@strawberry.input(
    description="Fields of an execution policy. In an existing group, a field that is left out keeps its value; in a "
    "new group it gets its default. Null sets the default. Amounts are in the group's currency."
)
class PolicyInput:
    leverage_max: Decimal | None = field(
        default=UNSET, description="Maximum leverage: total notional divided by equity; default 5."
    )
    notional_max: Decimal | None = field(default=UNSET, description="Maximum notional of one position; default 50000.")
    positions_max: int | None = field(default=UNSET, description="Maximum number of open positions; default 5.")
    orders_max: int | None = field(default=UNSET, description="Maximum number of open orders; default 10.")
    long_allowed: bool | None = field(default=UNSET, description="True if LONG positions may be opened; default true.")
    short_allowed: bool | None = field(
        default=UNSET, description="True if SHORT positions may be opened; default true."
    )
    symbols: list[str] | None = field(
        default=UNSET, description="Symbols of the instruments that may be traded; empty, the default, allows all."
    )
    fee_bps: Decimal | None = field(
        default=UNSET, description="Fee in basis points (hundredths of a percent) of the traded notional; default 10."
    )
    slippage: Slippage | None = field(default=UNSET, description="Price at which orders are filled; default MID_PRICE.")
    quote_age_seconds_max: int | None = field(
        default=UNSET, description="Maximum age of a quote at which orders are filled, in seconds; default 60."
    )
    position_equity_pct_max: Decimal | None = field(
        default=UNSET, description="Maximum notional of one position, in % of the equity; default 50."
    )
    liquidation_pct: Decimal | None = field(
        default=UNSET,
        description="Liquidation level in % of the starting balance; default 50. An account at or below it is "
        "liquidated.",
    )


@strawberry.input(
    description="Account group to create or change. For an existing group, a field that is left out keeps its value."
)
class SaveAccountGroupInput:
    name: str = field(description="Name, unique within the brand.")
    kind: GroupKind | None = field(default=UNSET, description="Purpose of the accounts; required for a new group.")
    currency: str | None = field(default=UNSET, description="Currency code of the accounts; required for a new group.")
    default_deposit: Decimal | None = field(
        default=UNSET, description="Initial balance of the accounts, in their currency; required for a new group."
    )
    policy: PolicyInput | None = field(
        default=UNSET, description="Fields of the execution policy to change; null sets every field to its default."
    )
    brand: str | None = field(default=None, description="Brand name. Required for an ADMIN; a MANAGER uses its own.")
    expected_version: int | None = field(
        default=None,
        description="Version on which the change is based; 0 for a new group. If another version is stored, it is "
        "refused.",
    )


@strawberry.type(description="Result of saving an account group.")
class SaveAccountGroupPayload(SavePayload):
    account_group: AccountGroup | None = field(
        default=None, description="Account group after the save; null if refused."
    )


@strawberry.input(description="Filter for account groups.")
class AccountGroupFilter:
    brand: str | None = field(default=None, description="Only groups of this brand.")
    kind: GroupKind | None = field(default=None, description="Only groups for accounts of this purpose.")
