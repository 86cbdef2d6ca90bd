"""The rows of one table as quotes, in one pass and in the order of time."""

from collections.abc import Iterator
from datetime import datetime

from cli.quotefile import bars, text
from cli.quotefile.numbers import NUMBER, number
from cli.quotefile.plans import Plan, time_text
from cli.quotefile.rows import BadRow, FileQuote, QuoteRow
from cli.quotefile.sources import open_source
from cli.quotefile.spreads import Spread
from cli.quotefile.times import NoTime

SYMBOLS_MAX = 10_000  # of one table: a column that holds more is none of symbols


class Reading:
    """One pass through a table; `rows` and `skipped` count what it has come to so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows = 0
        self.skipped = 0  # rows without a price, or with one side only
        self.twisted = 0  # bars whose high is not the highest, or low not the lowest
        self._symbols: dict[str, str] = {}
        self._last: dict[str, list[str]] = {}  # by symbol, where an empty price means the one before
        self._spread = Spread(plan)

    def quotes(self) -> Iterator[FileQuote]:
        """Every quote with its line. Raises BadRow at the first row that cannot be used."""
        with open_source(self.plan.source) as stream:
            rows = self._rows(text.lines(stream))
            if self.plan.has_bars:
                yield from bars.in_order(self._bars(rows))
            else:
                yield from self._ticks(rows)

    def _rows(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, datetime, list[str]]]:
        plan, last = self.plan, None
        if plan.has_header:
            next(lines)
        for line, row in lines:
            cells = text.cells_of(line, row, plan.delimiter)
            if len(cells) < plan.width:
                raise BadRow(line, f"{len(cells)} columns instead of {plan.width}")
            if plan.has_header and any(cells[plan.width :]):
                raise BadRow(line, f"{len(cells)} columns instead of {plan.width}")
            moment = self._time(line, time_text(cells, plan.columns), last)
            if last is not None and moment < last:
                raise BadRow(line, f"the time goes back from {last:%F %T.%f} to {moment:%F %T.%f}; sort it by time")
            last = moment
            self.rows += 1
            yield line, moment, cells

    def _time(self, line: int, cell: str, after: datetime | None) -> datetime:
        try:
            return self.plan.clock.read(cell, after)
        except NoTime as error:
            raise BadRow(line, f"the time {error}") from None

    def _ticks(self, rows: Iterator[tuple[int, datetime, list[str]]]) -> Iterator[FileQuote]:
        columns = self.plan.columns
        sides = [(role, columns[role]) for role in ("bid", "ask", "price") if role in columns]
        for line, moment, cells in rows:
            symbol = self._symbol(line, cells)
            prices = [self._number(line, role, cells[place]) for role, place in sides]
            if "" in prices and not self._complete(symbol, prices):
                self.skipped += 1
                continue
            if len(prices) == 1:
                bid, ask = self._spread.around(line, prices[0], cells)
            else:
                bid, ask = prices
            yield FileQuote(line, QuoteRow(moment, symbol, bid, ask))

    def _complete(self, symbol: str, prices: list[str]) -> bool:
        """Put the symbol's last prices where there is none, if the layout means that; is a price everywhere now?"""
        if self.plan.layout.empty != "carry":
            return False
        last = self._last.get(symbol, [""] * len(prices))
        prices[:] = self._last[symbol] = [price or before for price, before in zip(prices, last, strict=True)]
        return "" not in prices

    def _bars(self, rows: Iterator[tuple[int, datetime, list[str]]]) -> Iterator[bars.Bar]:
        columns, period = self.plan.columns, self.plan.period
        assert period, "bars have a period"
        for line, moment, cells in rows:
            symbol = self._symbol(line, cells)
            prices = self._path(line, cells, bars.PRICES)
            asks = self._path(line, cells, bars.ASKS) if "ask_open" in columns else prices
            if "" in prices or "" in asks:
                self.skipped += 1
                continue
            self.twisted += bars.is_twisted(line, prices) or (asks is not prices and bars.is_twisted(line, asks))
            end = self._time(line, cells[columns["end"]], moment) if "end" in columns else None
            sides = (
                list(zip(prices, asks, strict=True))
                if "ask_open" in columns
                else [self._spread.around(line, price, cells) for price in prices]
            )
            yield bars.Bar(line, symbol, moment, end or moment + period - bars.BEFORE_END, tuple(sides))

    def _path(self, line: int, cells: list[str], roles: tuple[str, ...]) -> list[str]:
        places = [self.plan.columns[role] for role in roles]
        if not any(cells[place] for place in places):
            return [""] * len(places)  # a gap, which some exports fill with empty bars
        return [self._number(line, role, cells[place]) for role, place in zip(roles, places, strict=True)]

    def _number(self, line: int, role: str, cell: str) -> str:
        """The number, or nothing where the layout has rows without it."""
        if NUMBER.fullmatch(cell):
            return cell
        if not cell and self.plan.layout.empty != "refuse":
            return ""
        value = number(cell, self.plan.delimiter)
        if value is None:
            raise BadRow(line, f"{role.replace('_', ' ')} is not a number: {cell[:40]!r}")
        return value

    def _symbol(self, line: int, cells: list[str]) -> str:
        plan = self.plan
        name = plan.symbol if plan.symbol is not None else cells[plan.columns["symbol"]]
        symbol = self._symbols.get(name)
        if symbol is not None:
            return symbol
        if not name or not name.isprintable():
            raise BadRow(line, f"symbol is not a name: {name[:40]!r}")
        if NUMBER.fullmatch(name):
            raise BadRow(line, f"symbol is a number, {name[:40]}: the columns are mixed up")
        if len(self._symbols) >= SYMBOLS_MAX:
            raise BadRow(line, f"there are more than {SYMBOLS_MAX:,} symbols: the columns are mixed up")
        symbol = self._symbols[name] = plan.resolve(name)
        return symbol

    @property
    def symbols(self) -> dict[str, str]:
        """The symbols so far as the file writes them, and as they are handed in."""
        return self._symbols
