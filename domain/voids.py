"""Void quotes: declared wrong afterwards. They stay on the tape, and whatever was done by them stays as it was."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from domain.conversion import names_of
from domain.instruments import Catalogue
from domain.orders import Fill
from domain.valuation import symbols_of


@dataclass(frozen=True, slots=True)
class Span:
    """The quotes of a symbol whose source times lie from `source_from` until before `source_before`."""

    symbol: str
    source_from: datetime
    source_before: datetime

    def has(self, symbol: str, time: datetime) -> bool:
        """Return whether a quote of this symbol and source time lies in the span."""
        return symbol == self.symbol and self.source_from <= time < self.source_before


def is_void(fill: Fill, spans: Collection[Span]) -> bool:
    """Return whether the fill was dealt or converted at a void quote.

    Of a rate over two pairs only the older quote's time is known: it stands for both.
    """
    if any(span.has(fill.symbol, fill.quote_time) for span in spans):
        return True
    pairs, time = names_of(fill.rate_pairs), fill.rate_time
    return time is not None and any(span.has(pair, time) for span in spans for pair in pairs)


def holdings_moved_by(symbol: str, catalogue: Catalogue) -> list[tuple[str, str]]:
    """Return each instrument with the account currencies in which a quote of the symbol may move its value."""
    return [
        (instrument, currency)
        for instrument in catalogue.instruments
        for currency in catalogue.currencies
        if symbol in symbols_of(instrument, currency, catalogue, {})
    ]
