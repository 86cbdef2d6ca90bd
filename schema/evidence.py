"""Evidence of a verdict: the open positions, with prices, conversion rates and the ages of both."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import strawberry
from strawberry import field

import schema.enums  # noqa: F401 - it describes Side, and must do so before a type uses it
from domain.conversion import names_of
from domain.positions import Side

AMOUNTS = ("quantity", "cost_basis", "mark", "rate", "unrealised")


@strawberry.type(description="An open position as a verdict saw it.")
class EvidenceMark:
    symbol: str = field(description="The instrument.")
    side: Side = field(description="The side.")
    quantity: Decimal = field(description="The quantity held; positive on both sides.")
    cost_basis: Decimal = field(description="Its cost in the quote currency, to 18 places.")
    mark: Decimal = field(description="The price it was marked at, in the quote currency.")
    quote_time: datetime = field(description="The source time of that price.")
    quote_age_seconds: int = field(description="The price's age by the market's clock, in whole seconds.")
    stale: bool = field(description="Whether the price was too old to deal on: the last good mark.")
    rate: Decimal = field(description="The worth of one of the quote currency in the account's, to 18 places.")
    rate_pairs: list[str] = field(description="The instruments that converted: none at par, two over a third currency.")
    rate_time: datetime | None = field(description="The source time of the rate's oldest quote; null at par.")
    rate_age_seconds: int | None = field(description="The rate's age by the market's clock; null at par.")
    rate_stale: bool = field(description="Whether the rate was too old to open or increase on: the last good one.")
    unrealised: Decimal = field(description="The open profit, in the account's currency.")

    @classmethod
    def every(cls, text: str) -> list[Self]:
        """Return the marks of a breach from the JSON it is stored as."""
        return [cls._of(facts) for facts in json.loads(text)]

    @classmethod
    def _of(cls, facts: dict[str, Any]) -> Self:
        amounts = {name: Decimal(facts[name]) for name in AMOUNTS}
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
