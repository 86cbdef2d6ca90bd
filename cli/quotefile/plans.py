"""The reading plan of one table of quotes: columns, times, zone and spread, and where each of them was recognised."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise

from cli.quotefile import headers, layouts, names, numbers, text, times, zones
from cli.quotefile.layouts import BY_NAME, OHLC, Layout
from cli.quotefile.names import Resolve
from cli.quotefile.rows import BadRow
from cli.quotefile.sources import Source, open_source
from cli.quotefile.times import Clock
from cli.quotefile.zones import Zone
from config.errors import Problem
from domain.money import plain

SAMPLE_ROWS = 500  # of a table are looked at before it is read
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Options:
    """The caller's settings for files; each applies where a file does not say it itself."""

    layout: str | None = None
    symbol: str | None = None
    zone: str | None = None
    spread: Decimal | None = None
    dates: str | None = None  # day-first or month-first
    listed: frozenset[str] = frozenset()  # the desk's symbols

    def on_desk(self, listed: frozenset[str]) -> "Options":
        """The same, for a desk that lists these symbols."""
        return replace(self, listed=listed)

    def __post_init__(self) -> None:
        if self.layout is not None and self.layout not in BY_NAME:
            raise Problem(f"--layout {self.layout}: there is no such layout; there are {', '.join(BY_NAME)}")
        if self.zone is not None and zones.parse_zone(self.zone) is None:
            raise Problem(f"--zone {self.zone}: no such zone; Europe/Berlin, GMT+3 or America/New_York+7 are zones")
        if self.dates not in (None, times.DAY_FIRST, times.MONTH_FIRST):
            raise Problem(f"--dates {self.dates}: it is {times.DAY_FIRST} or {times.MONTH_FIRST}")
        if self.spread is not None and not (self.spread.is_finite() and self.spread >= 0):
            raise Problem(f"--spread {self.spread}: a spread is a number of 0 or more")


@dataclass(frozen=True, slots=True)
class Plan:
    """The conversion of one table's rows into quotes."""

    source: Source
    layout: Layout
    delimiter: str
    has_header: bool
    columns: Mapping[str, int]
    width: int  # cells of a row
    clock: Clock
    zone: str  # as it is shown: the zone and where it is from
    symbol: str | None  # of every row; None where a column holds it
    symbol_from: str
    resolve: Resolve
    spread: Decimal | None  # between bid and ask, where only one is there; in prices
    point: Decimal | None  # what one of the spread's column is worth; None where no column holds it
    ask_side: bool  # is the price there an ask?
    period: timedelta | None  # of a bar

    @property
    def has_bars(self) -> bool:
        return "open" in self.columns

    @property
    def spread_text(self) -> str:
        if {"bid", "ask"} <= self.columns.keys() or "ask_open" in self.columns:
            return "bid and ask as recorded"
        if self.point is not None:
            return f"of its column, in {plain(self.point)}"
        side = "bid is the price less" if self.ask_side else "ask is the price plus"
        if self.spread is None:
            return f"{side} 0 (assumed; --spread says another)"
        return f"{side} {plain(self.spread)} (--spread)"


@dataclass(frozen=True, slots=True)
class _Sample:
    """The first rows of a table as cells, its header apart."""

    delimiter: str
    header: list[str] | None
    rows: list[tuple[int, list[str]]]


def plan_of(source: Source, options: Options) -> Plan:
    """How the table is read. Raises Problem where it is not recognised, or lacks what nobody says."""
    try:
        with open_source(source) as stream:
            sample = _sample(source, text.lines(stream))
        layout, columns = _recognise(source, sample, options)
        clock, zone = _clock(source, sample, layout, columns, options)
        symbol, origin = _symbol(source, columns, options)
        point = _point(sample, columns)
        return Plan(
            source=source,
            layout=layout,
            delimiter=sample.delimiter,
            has_header=sample.header is not None,
            columns=columns,
            width=_width(sample, columns),
            clock=clock,
            zone=zone,
            symbol=symbol,
            symbol_from=origin,
            resolve=names.resolver(options.listed),
            spread=options.spread,
            point=point,
            ask_side="bid" not in columns and ("ask" in columns or names.is_ask(source.names)),
            period=_period(source, sample, layout, columns, clock) if "open" in columns else None,
        )
    except BadRow as bad:
        raise Problem(f"{source}, {bad}; no quotes were handed in") from None


def _sample(source: Source, lines: Iterator[tuple[int, str]]) -> _Sample:
    head = list(islice(lines, SAMPLE_ROWS + 1))
    if not head:
        raise Problem(f"{source} is empty")
    delimiter = text.delimiter_of([line for _, line in head[:20]])
    first = text.cells_of(*head[0], delimiter)
    header = first if headers.is_header(first, delimiter) else None
    rest = head if header is None else head[1:]
    if not rest:
        raise Problem(f"{source} has a header and no quotes below it")
    rows = []
    for number, line in rest:
        try:
            rows.append((number, text.cells_of(number, line, delimiter)))
        except BadRow:  # reading it will name it
            continue
    return _Sample(delimiter, header, rows)


def _recognise(source: Source, sample: _Sample, options: Options) -> tuple[Layout, dict[str, int]]:
    """The layout, and which column is what."""
    layout = BY_NAME[options.layout] if options.layout else None
    if sample.header is not None:
        columns = headers.columns_of(sample.header)
        layout = layout or layouts.by_header(headers.names_of(sample.header))
        known = "its header is " + sample.delimiter.join(sample.header)[:100]
    else:
        name = "/".join(source.names)
        shapes = (layouts.letters(cells, sample.delimiter) for _, cells in sample.rows[:20])
        layout = layout or next((one for shape in shapes if (one := layouts.by_shape(shape, name))), None)
        columns = {role: place for place, role in enumerate(layout.columns) if role != "-"} if layout else {}
        known = "its first row is " + (sample.delimiter.join(sample.rows[0][1])[:100] if sample.rows else "unreadable")
    priced = "bid" in columns or "ask" in columns or "price" in columns or all(name in columns for name in OHLC)
    if layout is None or "time" not in columns or not priced:
        raise Problem(
            f"{source} is in no layout that is known: {known}; it needs a time, and bid and ask, a price, or open, "
            f"high, low and close. --layout names one: {', '.join(BY_NAME)}"
        )
    return layout, _usable(columns, sample)


def _usable(columns: dict[str, int], sample: _Sample) -> dict[str, int]:
    """The columns without those that add nothing: a price beside bid or ask, columns that the rows lack."""
    widest = max((len(cells) for _, cells in sample.rows), default=0)
    needless = {"price"} if columns.keys() & {"bid", "ask"} else set()
    if "bid" in columns and "ask" in columns:
        needless |= {"points", *OHLC}
    if "ask_open" not in columns or not any(_cell(cells, columns["ask_open"]) for _, cells in sample.rows):
        needless |= {"ask_open", "ask_high", "ask_low", "ask_close"}
    optional = {"points", "end", "clock"}
    return {
        role: place
        for role, place in columns.items()
        if role not in needless and not (role in optional and place >= widest)
    }


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _width(sample: _Sample, columns: Mapping[str, int]) -> int:
    """How many cells a row has at least: as many as the header names, else as far as there is something to read."""
    if sample.header is not None:
        named = [place for place, name in enumerate(sample.header) if name]
        return named[-1] + 1
    return max(columns.values()) + 1


def time_text(cells: Sequence[str], columns: Mapping[str, int]) -> str:
    """The time of a row as it stands there."""
    clock = columns.get("clock")
    return cells[columns["time"]] if clock is None else f"{cells[columns['time']]} {cells[clock]}"


def _times(sample: _Sample, columns: Mapping[str, int]) -> list[tuple[int, str]]:
    last = max(columns["time"], columns.get("clock", 0))
    return [(number, time_text(cells, columns)) for number, cells in sample.rows if len(cells) > last]


def _clock(
    source: Source, sample: _Sample, layout: Layout, columns: Mapping[str, int], options: Options
) -> tuple[Clock, str]:
    """How the times are read, and their zone as it is shown."""
    zone, origin = _zone(sample, layout, columns, options)
    found = _times(sample, columns)
    number, first = next(((number, one) for number, one in found if times.is_time(one)), found[0] if found else (1, ""))
    if layout.name.startswith("lean") and first.isdecimal():
        day = names.day_in(source.names)
        if day is None:
            raise Problem(f"{source}: its times are of a day that its name has to tell, such as 20260302_quote.zip")
        return times.MidnightClock(zone, day), origin
    if unit := times.unit_of(first):
        return times.EpochClock(unit), "UTC"
    if not times.is_date(first):
        raise BadRow(number, f"the time {times.explain(first)}")
    order = _order(source, sample, columns, first, options)
    try:
        moment = times.read_text(first, order)
    except times.NoTime as error:
        raise BadRow(number, f"the time {error}") from None
    return times.TextClock(zone, order), f"{moment.zone.name} (of its times)" if moment.zone else origin


def _zone(sample: _Sample, layout: Layout, columns: Mapping[str, int], options: Options) -> tuple[Zone, str]:
    if sample.header is not None and (zone := headers.zone_in(sample.header[columns["time"]])):
        return zone, f"{zone} (its header)"
    for text_, origin in ((options.zone, "--zone"), (layout.zone, f"as {layout.name} has it")):
        if text_ and (zone := zones.parse_zone(text_)):
            return zone, f"{zone} ({origin})"
    return zones.UTC_ZONE, "UTC (assumed; --zone says another)"


def _order(source: Source, sample: _Sample, columns: Mapping[str, int], first: str, options: Options) -> str | None:
    """Whether a day or a month comes first, as some date of the table shows, else as the caller says."""
    if not times.needs_order(first):
        return None
    for _, one in _times(sample, columns):
        if order := times.order_of(one):
            return order
    if options.dates:
        return options.dates
    if order := _order_further_on(source, sample, columns):
        return order
    raise Problem(f"{source}: {first} may be two days; say --dates {times.DAY_FIRST} or --dates {times.MONTH_FIRST}")


def _order_further_on(source: Source, sample: _Sample, columns: Mapping[str, int]) -> str | None:
    last = max(columns["time"], columns.get("clock", 0))
    with open_source(source) as stream:
        for number, line in text.lines(stream):
            cells = text.cells_of(number, line, sample.delimiter)
            if len(cells) > last and (order := times.order_of(time_text(cells, columns))):
                return order
    return None


def _symbol(source: Source, columns: Mapping[str, int], options: Options) -> tuple[str | None, str]:
    if "symbol" in columns:
        return None, "its column"
    if options.symbol:
        return options.symbol, "--symbol"
    symbol = names.symbol_in(source.names, options.listed)
    if symbol is None:
        raise Problem(f"{source} names no symbol; say --symbol")
    return symbol, "its name"


def _point(sample: _Sample, columns: Mapping[str, int]) -> Decimal | None:
    """What one of the spread's column is worth: whole ones are points, of the last place that prices have."""
    if "points" not in columns:
        return None
    spreads = [_cell(cells, columns["points"]) for _, cells in sample.rows]
    if any("." in spread for spread in spreads):
        return Decimal(1)
    priced = [columns[role] for role in (*OHLC, "bid", "ask", "price") if role in columns]
    prices = (numbers.number(_cell(cells, place), sample.delimiter) for _, cells in sample.rows for place in priced)
    return Decimal(1).scaleb(-max((numbers.places(price) for price in prices if price), default=0))


def _period(source: Source, sample: _Sample, layout: Layout, columns: Mapping[str, int], clock: Clock) -> timedelta:
    """The length of a bar: by the file's name, by its layout, else the least time between two bars."""
    if period := names.period_in(source.names):
        return period
    if layout.period_seconds:
        return timedelta(seconds=layout.period_seconds)
    moments: list[datetime] = []
    found = _times(sample, columns)
    for _, one in found:
        try:
            moments.append(clock.read(one, moments[-1] if moments else None))
        except times.NoTime:
            continue
    steps = [later - earlier for earlier, later in pairwise(moments) if later > earlier]
    of_days = bool(found) and layouts.letters([found[0][1]], sample.delimiter) == "d"
    return min(steps, default=DAY if of_days else MINUTE)
