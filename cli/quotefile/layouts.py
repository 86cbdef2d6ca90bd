"""The layouts that quote files come in: by their headers, or by the shape of their rows where they have none."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cli.quotefile.numbers import number
from cli.quotefile.times import is_date, unit_of

OHLC = ("open", "high", "low", "close")

DAYS = ("date", "dtyyyymmdd", "yyyymmdd", "day", "tradedate")  # columns that may need a time of day beside them

# What the columns are called, in small letters and without anything but letters and digits; the first match counts.
NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        "localtimestamp", "transactiontime", "ts", "timestamp", "datetime", "time", "opentime", "localtime", "timemsc",
        "dateandtime", "quotetime", "ratedatetime", "unixtime", "unix", "epoch", "eventtime", "transacttime",
        "tradetime", "createdat", "utc", "gmt", *DAYS,
    ),
    "clock": ("time", "timeofday"),  # the hours, where the day has a column of its own
    "symbol": ("symbol", "ticker", "instrumentid", "pair", "currencypair", "instrument", "market", "sym", "code"),
    "bid": ("bid", "bidprice", "bestbidprice", "bestbid", "bidpx", "ratebid"),
    "ask": ("ask", "askprice", "bestaskprice", "bestask", "askpx", "offer", "offerprice", "rateask"),
    "open": ("open", "o", "bidopen", "openbid"),
    "high": ("high", "h", "bidhigh", "highbid", "max"),
    "low": ("low", "l", "bidlow", "lowbid", "min"),
    "close": ("close", "c", "bidclose", "closebid"),
    "ask_open": ("askopen", "openask"),
    "ask_high": ("askhigh", "highask"),
    "ask_low": ("asklow", "lowask"),
    "ask_close": ("askclose", "closeask"),
    "price": ("price", "last", "mid", "lastprice", "value"),
    "points": ("spread",),
    "end": ("closetime",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout. `columns` are those of a file without a header, `-` for one that is not used."""

    name: str
    columns: tuple[str, ...]
    marks: tuple[frozenset[str], ...] = ()  # names in the header: all of one of the sets are there
    shape: str = ""  # of a row without a header: a regular expression over the letters of its cells, see `letters`
    named: str = ""  # what the file's name must show besides: a regular expression
    zone: str = ""  # of its local times, where neither the file nor the caller names one
    empty: str = "refuse"  # a missing bid or ask: refuse the file, skip the row, or carry the last one on
    period_seconds: int = 0  # of a bar, where neither the file's name nor its rows show it


def _layout(name: str, columns: str, *marks: str, **others: str | int) -> Layout:
    sets = tuple(frozenset(mark.split()) for mark in marks)
    return Layout(name, tuple(columns.split()), sets, **others)  # type: ignore[arg-type]  # as the table below has them


DATE_IN_NAME = r"(?<!\d)(?:19|20)\d{6}(?!\d)"

# In the order in which they are tried: what is particular comes before what is general.
LAYOUTS = (
    _layout(
        "tardis",
        "- symbol - time - ask bid -",
        "localtimestamp bidprice askprice",
        shape="[sx][sx]ee[nmx]{4}",
        empty="skip",
    ),
    _layout("binance-bookticker", "- bid - ask - time -", "bestbidprice bestaskprice", shape="NNNNNee", empty="skip"),
    _layout(
        "binance-klines", "time open high low close - end", "opentime open high low close closetime", shape="eNNNNNeN+"
    ),
    _layout("mt5-ticks", "time clock bid ask", "date time bid ask flags", empty="carry"),
    _layout(
        "mt5-bars",
        "time clock open high low close - - points",
        "date time open high low close tickvol",
        "date open high low close tickvol",
        shape="dkN{7}",
    ),
    _layout(
        "dukascopy",
        "time ask bid",
        "gmttime ask bid",
        "localtime ask bid",
        "gmttime open high low close",
        "localtime open high low close",
        empty="skip",
    ),
    _layout(
        "dukascopy-node",
        "time ask bid",
        "timestamp askprice bidprice",
        "timestamp open high low close",
        empty="skip",
    ),
    _layout("duka", "time ask bid", "time ask bid askvolume bidvolume", empty="skip"),
    _layout("own", "time symbol bid ask", "symbol bid ask", shape="Ts[Nx][Nx]N*"),
    _layout("tradingview", "time open high low close", "time open high low close"),
    _layout(
        "lean",
        "time open high low close - ask_open ask_high ask_low ask_close -",
        shape="m[Nx]{10}",
        named=DATE_IN_NAME,
        empty="skip",
    ),
    _layout("lean-ticks", "time bid - ask -", shape="m[Nx]{4}", named=DATE_IN_NAME, empty="skip"),
    _layout("histdata-ticks", "time bid ask -", shape="hNNN", zone="EST"),
    _layout("histdata-nt", "time price -", shape="hNN", named=r"(?i)DAT_NT_", zone="EST"),
    _layout("histdata-m1", "time open high low close -", shape="hNNNNN?", zone="EST", period_seconds=60),
    _layout(
        "histdata-mt",
        "time clock open high low close -",
        shape="dkNNNNN?",
        named=r"(?i)DAT_MT_",
        zone="EST",
        period_seconds=60,
    ),
    _layout("mt4-bars", "time clock open high low close -", shape="dkNNNNN?"),
    _layout("mt4-ticks", "time clock bid ask", "date time bid ask", shape="dk[Nx][Nx][Nx]*", empty="carry"),
    _layout("truefx", "symbol time bid ask", shape="sTNN"),
    _layout("ticks", "time bid ask", "bid ask", shape="TNN(NN)?|TNN[Nx]*x[Nx]*", empty="skip"),
    _layout(
        "bars",
        "time open high low close",
        "open high low close",
        "bidopen bidhigh bidlow bidclose",
        "o h l c",
        shape="TN{5,}",
    ),
    _layout("prices", "time price", "price", "last", "mid", "bid", "ask", "close", shape="TN"),
)
BY_NAME: Mapping[str, Layout] = {layout.name: layout for layout in LAYOUTS}

_COMPACT = re.compile(r"\d{8} \d{6}(\d{3})?", re.ASCII)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?", re.ASCII)
_WITH_CLOCK = re.compile(r"\d[T ,]\s*\d{1,2}:?\d{2}|\d{14}", re.ASCII)
_MILLISECONDS_OF_A_DAY = 86_400_000


def letters(cells: Sequence[str], delimiter: str) -> str:
    """A letter a cell: e a count since 1970, m one that fits into a day's milliseconds, n another number, h, t and d a
    time as HistData writes it, another one, a date alone, k a time of day, s another text, x nothing.
    """
    return "".join(_letter(cell, delimiter) for cell in cells)


def _letter(cell: str, delimiter: str) -> str:
    if not cell:
        return "x"
    if unit_of(cell):
        return "e"
    if _COMPACT.fullmatch(cell):
        return "h"
    if is_date(cell):
        return "t" if _WITH_CLOCK.search(cell) else "d"
    if _TIME_OF_DAY.fullmatch(cell):
        return "k"
    if number(cell, delimiter) is not None:
        return "m" if cell.isdecimal() and int(cell) <= _MILLISECONDS_OF_A_DAY else "n"
    return "s"


def by_header(names: frozenset[str]) -> Layout | None:
    """The first layout all of whose marks are among the header's names."""
    return next((layout for layout in LAYOUTS if any(marks <= names for marks in layout.marks)), None)


def by_shape(shape: str, name: str) -> Layout | None:
    """The first layout that rows of this shape, in a file of this name, come in."""
    for layout in LAYOUTS:
        pattern = layout.shape.replace("[Nx]", "[nmex]").replace("N", "[nme]").replace("T", "[tehd]")
        if pattern and re.fullmatch(pattern, shape.rstrip("x")) and re.search(layout.named, name):
            return layout
    return None
