"""Evidence of a verdict: open positions with their prices, conversion rates and ages."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import strawberry
from strawberry import field

import schema.enums  # noqa: F401 - describes the enum Side before a type uses it
from domain.conversion import names_of
from domain.positions import Side

MARK_AMOUNTS = ("quantity", "cost_basis", "mark", "rate", "unrealised")


@strawberry.type(description="An open position at the time of a verdict.")
class EvidenceMark:
    symbol: str = field(description="Instrument symbol.")
    side: Side = field(description="Side of the position.")
    quantity: Decimal = field(description="Open quantity in units of the instrument; positive on both sides.")
    cost_basis: Decimal = field(description="Cost of the open quantity in the quote currency, up to 18 decimal places.")
    mark: Decimal = field(description="Price at which the position was marked, in the quote currency.")
    quote_time: datetime = field(description="Source time of the quote used.")
    quote_age_seconds: int = field(description="Age of the quote used, at the verdict, in whole seconds.")
    stale: bool = field(description="True if the quote was the last known one and too old to trade at.")
    rate: Decimal = field(description="Conversion rate: account currency per quote currency, up to 18 decimal places.")
    rate_pairs: list[str] = field(description="Symbols used for the conversion: up to two, none if not needed.")
    rate_time: datetime | None = field(description="Source time of the rate's older quote; null without conversion.")
    rate_age_seconds: int | None = field(
        description="Age of the rate at the verdict, in seconds; null without conversion."
    )
    rate_stale: bool = field(description="True if the conversion rate was too old to open or increase a position.")
    unrealised: Decimal = field(description="Open profit or loss in the account's currency.")

    @classmethod
    def every(cls, text: str) -> list[Self]:
        """Return the marks of a breach from the JSON it is stored as."""
        return [cls._of(facts) for facts in json.loads(text)]

    @classmethod
    def _of(cls, facts: dict[str, Any]) -> Self:
        amounts = {name: Decimal(facts[name]) for name in MARK_AMOUNTS}
        return cls(
            **{
                **facts,
                **amounts,
                "side": Side(facts["side"]),
                "rate_pairs": names_of(facts["rate_pairs"]),
                "quote_time": datetime.fromisoformat(facts["quote_time"]),
                "rate_time": facts["rate_time"] and datetime.fromisoformat(facts["rate_time"]),
            }
        )
