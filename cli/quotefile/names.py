"""File names of quote files: the symbol, the bar period, the day and the price side that they name."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta

_PARTS = re.compile(r"[-_ ,()\[\]]+")
_EXTENSIONS = re.compile(r"(?i)(\.(csv|tsv|txt|prn|gz|bz2|xz|zst|zip))+$")
_EXCHANGE = re.compile(r"[A-Z0-9]+_([A-Z0-9.!]+), ")  # TradingView: OANDA_EURUSD, 60.csv
_GLUED = re.compile(r"([A-Za-z]{6})(1|5|15|30|60|240|1440|10080)")  # MetaTrader 4: EURUSD60.csv
_SYMBOL = re.compile(r"(?:[A-Za-z][A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z]+\d+)(?:\.[A-Za-z]+)?")
_PERIOD = re.compile(
    r"(?i)(?<![a-z0-9])(?:([smhdw])(\d{1,2})|(\d{1,3})[ _]?(s|secs?|m|mins?|h|hours?|d|days?|w))(?![a-z0-9])"
)
_PERIOD_WORDS = {"second": "s", "minute": "m", "hour": "h", "hourly": "h", "daily": "d"}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TRADINGVIEW = re.compile(r", (\d{1,4})(?=[_ .]|$)")  # in minutes
_DAY = re.compile(r"(?<!\d)((?:19|20)\d{2})[-_.]?(\d{2})[-_.]?(\d{2})(?!\d)")
_NO_SYMBOLS = frozenset((
    "dat", "ascii", "mt", "nt", "csv", "quote", "quotes", "tick", "ticks", "trade", "trades", "book", "ticker",
    "bookticker", "klines", "kline", "candles", "candlestick", "bid", "ask", "mid", "last", "own", "data",
    "history", "export", "bars", "bar", "second", "minute", "hour", "hourly", "daily", "min", "mins", "hours",
    "day", "secs", "binance", "spot", "futures", "um", "cm", "utc", "gmt", "est", "eet", "cet", "t", "m", "h", "d",
    "w", "s",
))  # fmt: skip

Resolve = Callable[[str], str]


def canonical(symbol: str) -> str:
    """A pair in the desk's way of writing: eurusd, EUR/USD, eur-usd and EUR_USD are EURUSD; others stay as they are."""
    letters = re.fullmatch(r"([A-Za-z]{3,4})[/_ -]?([A-Za-z]{3,4})", symbol)
    if letters is None or (len(symbol) not in (6, 8) and symbol.isalpha()):
        return symbol
    return (letters[1] + letters[2]).upper() if symbol.isupper() or symbol.islower() or "/" in symbol else symbol


def resolver(listed: Iterable[str]) -> Resolve:
    """How a file's symbols are called on a desk that lists these: as they stand, else alike but for case and marks."""
    exact = frozenset(listed)
    squashed: Mapping[str, str] = {_squashed(symbol): symbol for symbol in sorted(exact, reverse=True)}

    def resolve(symbol: str) -> str:
        if symbol in exact:
            return symbol
        return squashed.get(_squashed(symbol)) or canonical(symbol)

    return resolve


def _squashed(symbol: str) -> str:
    return re.sub(r"[^A-Z0-9.]", "", symbol.upper())


def symbol_in(names: Iterable[str], listed: Iterable[str]) -> str | None:
    """The symbol that one of the names holds: one that is listed if there is one, else the first that may be one."""
    known = {_squashed(symbol) for symbol in listed}
    likely: list[str] = []
    for name in names:
        stem = _EXTENSIONS.sub("", name)
        if match := _EXCHANGE.match(stem):
            likely.append(match[1])
        for part in (stem, *_PARTS.split(stem)):
            glued = _GLUED.fullmatch(part)
            word = glued[1] if glued else part
            if _squashed(word) in known:
                return word
            if (
                _SYMBOL.fullmatch(word)
                and len(word) >= 3
                and word.lower() not in _NO_SYMBOLS
                and not _PERIOD.fullmatch(word)
            ):
                likely.append(word)
    return likely[0] if likely else None


def period_in(names: Iterable[str]) -> timedelta | None:
    """The length of a bar: M1, 1m, 1_Hour, minute; `, 60` as TradingView has it, EURUSD60 as MetaTrader does."""
    for name in names:
        stem = _EXTENSIONS.sub("", name)
        if match := _PERIOD.search(stem.replace("_", " ")):
            letter = (match[1] or match[4])[0].lower()
            return timedelta(seconds=_SECONDS[letter] * int(match[2] or match[3]))
        if match := _TRADINGVIEW.search(stem):
            return timedelta(minutes=int(match[1]))
        for part in _PARTS.split(stem):
            if letter := _PERIOD_WORDS.get(part.lower(), ""):
                return timedelta(seconds=_SECONDS[letter])
            if match := _GLUED.fullmatch(part):
                return timedelta(minutes=int(match[2]))
    return None


def day_in(names: Iterable[str]) -> date | None:
    """The day the name holds: 20260302, 2026-03-02, 2026_03_02."""
    for name in names:
        for match in _DAY.finditer(name):
            try:
                return date(int(match[1]), int(match[2]), int(match[3]))
            except ValueError:
                continue
    return None


def is_ask(names: Iterable[str]) -> bool:
    """Return whether the file name says that the prices are asks."""
    return any(re.search(r"(?i)(?<![a-z])ask(?![a-z])", name) for name in names)
