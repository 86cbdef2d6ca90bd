"""Two bots for the demo that have seen the recording: one trades with what is to come, the other against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cli.quotefile import QuoteRow

HORIZON = 48  # frames a bot looks ahead
ADVERSE_MAX = Decimal("-0.0012")  # the deepest dip the good bot sits through, as a share of the price
GAIN_MIN = Decimal("0.0010")


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment of the demo: the quotes handed in together."""

    time: datetime
    rows: tuple[QuoteRow, ...]
    mids: Mapping[str, Decimal]  # of this moment's rows alone: what can be dealt on


@dataclass(frozen=True, slots=True)
class Trade:
    """A holding to take at one frame and to close at a later one."""

    symbol: str
    side: str
    close_at: int  # index of the frame
    gain: Decimal  # as a share of the price


def a_frame(time: datetime, rows: Sequence[QuoteRow]) -> Frame:
    return Frame(time, tuple(rows), {row.symbol: (Decimal(row.bid) + Decimal(row.ask)) / 2 for row in rows})


def best(frames: Sequence[Frame], now: int, until: int | None = None) -> Trade | None:
    """The trade with the largest gain within the horizon that never dips too deep; None where none is worth it.

    It is closed before frame `until`.
    """
    found = [trade for trade in _trades(frames, now, until) if trade.gain >= GAIN_MIN]
    return max(found, key=lambda trade: (trade.gain, trade.symbol, trade.side), default=None)


def worst(frames: Sequence[Frame], now: int) -> Trade | None:
    """The other side of the best trade: what loses most, and steadily."""
    right = best(frames, now)
    if right is None:
        return None
    side = "SHORT" if right.side == "LONG" else "LONG"
    return Trade(right.symbol, side, right.close_at, -right.gain)


def _trades(frames: Sequence[Frame], now: int, until: int | None) -> list[Trade]:
    last = min(now + HORIZON, len(frames) - 1, until if until is not None else len(frames) - 1)
    trades = []
    for symbol, entry in sorted(frames[now].mids.items()):
        for side, sign in (("LONG", 1), ("SHORT", -1)):
            for at in range(now + 1, last + 1):
                mid = frames[at].mids.get(symbol)
                if mid is None:
                    continue
                gain = sign * (mid - entry) / entry
                if gain < ADVERSE_MAX:
                    break
                trades.append(Trade(symbol, side, at, gain))
    return trades
