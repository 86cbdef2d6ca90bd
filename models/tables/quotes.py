"""Quotes: batches, the newest of each symbol, suspect and dropped quotes, and the last of deleted batches."""

from typing import Any

from tortoise import fields
from tortoise.fields import NO_ACTION
from tortoise.models import Model

from domain.quote_guard import QuoteFinding
from domain.quotes import Dropped
from models.tables.fields import CLOCK, Choice, Price, Text
from models.tables.keys import CompositeKey, TableIndex


class Batch(Model):
    """A batch of quotes, numbered without gaps in the order of commits."""

    number = fields.BigIntField(primary_key=True, generated=False)
    market_time = fields.DatetimeField(description="Market time of the batch")
    quotes = fields.IntField(description="Number of its quotes")
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "batches"


class Quote(CompositeKey):
    """A quote of a batch."""

    batch = fields.BigIntField()
    symbol = Text(primary_key=True)
    bid = Price()
    ask = Price()
    source_time = fields.DatetimeField(description="Source time")

    class Meta:
        table = "quotes"
        primary_key = ("batch", "symbol")
        indexes = (TableIndex("symbol", "batch desc", name="quotes_of_symbol", include=("bid", "ask", "source_time")),)


class LatestQuote(Model):
    """The newest quote of a symbol."""

    instrument: fields.OneToOneRelation[Any] = fields.OneToOneField(
        "models.Instrument", primary_key=True, source_field="symbol", on_delete=NO_ACTION, related_name=False
    )
    batch = fields.BigIntField()
    bid = Price()
    ask = Price()
    source_time = fields.DatetimeField(description="Source time")
    unchanged_since = fields.DatetimeField(null=True, description="Source time of the first quote of this price")
    finding = Choice(QuoteFinding, null=True, description="Finding of the quote guard")

    class Meta:
        table = "latest_quotes"


class SuspectQuote(Model):
    """A quote that the quote guard holds back until another confirms it."""

    instrument: fields.OneToOneRelation[Any] = fields.OneToOneField(
        "models.Instrument", primary_key=True, source_field="symbol", on_delete=NO_ACTION, related_name=False
    )
    bid = Price()
    ask = Price()
    source_time = fields.DatetimeField(description="Source time")
    source = Text(description="Name of the token that sent it")
    finding = Choice(QuoteFinding, description="Finding of the quote guard")
    held_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "suspect_quotes"


class StandingQuote(Model):
    """The batch of the newest deleted quote of a symbol, which itself is kept."""

    instrument: fields.OneToOneRelation[Any] = fields.OneToOneField(
        "models.Instrument", primary_key=True, source_field="symbol", on_delete=NO_ACTION, related_name=False
    )
    batch = fields.BigIntField()

    class Meta:
        table = "standing_quotes"


class DroppedQuote(CompositeKey):
    """A counter of dropped quotes, by symbol and reason."""

    symbol = Text(primary_key=True)
    reason = Choice(Dropped)
    count = fields.BigIntField()
    last_at = fields.DatetimeField()

    class Meta:
        table = "dropped_quotes"
        primary_key = ("symbol", "reason")
