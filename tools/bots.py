"""Bots for the demo that have seen the recording: one trades with what is to come, the others against it.

The winner earns its target on its first day, so that only the best-day rule keeps it from passing, and then more on
the days after it; of its funded profit it requests a part. The loser wins a little, which lifts its trailing floor;
then it loses until its day is paused, tries to open more all the same, and the next day loses until it falls through
the floor. The day trader loses until the desk closes its day, tries to open more, and trades on the next day.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from zoneinfo import ZoneInfo

from cli.quotefile import QuoteRow
from tools.firm import precision

HORIZON = 12  # frames a bot looks ahead
ADVERSE_MAX = Decimal("-0.0012")  # the deepest dip the good bot sits through, as a share of the price
GAIN_MIN = Decimal("0.0010")

WINS = "1800000"  # notionals: so small that no dip pauses the day,
WINS_ONCE, LOSES, LOSES_ALL = "300000", "1000000", "6000000"  # and so large that each does its part
DAY_GOAL = Decimal(5_250)  # profit at which the winner's day is over: its target, with a margin for what it pays
FUNDED_GOAL = Decimal(1_000)  # profit at which it stops trading its funded account
PAYOUT_FROM = Decimal(600)  # profit of which it requests half
CENT = Decimal("0.01")
FAR = Decimal("0.1")  # from the price to a stop-loss that is to rest, as a share of the price


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


@dataclass(frozen=True, slots=True)
class Desk:
    """A bot's view of its account before it proposes actions."""

    account: str
    profit: Decimal  # closed, since the account's start
    funded: bool
    blocked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a bot proposes to do with a trade; `terms` are further fields of the action, such as its notional."""

    verb: str
    trade: Trade
    terms: Mapping[str, str] = field(default_factory=dict)


def a_frame(time: datetime, rows: Sequence[QuoteRow]) -> Frame:
    return Frame(time, tuple(rows), {row.symbol: (Decimal(row.bid) + Decimal(row.ask)) / 2 for row in rows})


def without(frames: Sequence[Frame], symbols: Set[str]) -> list[Frame]:
    """Return the frames as a bot sees them that does not trade these symbols."""
    return [
        Frame(frame.time, frame.rows, {symbol: mid for symbol, mid in frame.mids.items() if symbol not in symbols})
        for frame in frames
    ]


def best(frames: Sequence[Frame], now: int, until: int | None = None) -> Trade | None:
    """Return the trade with the largest gain within the horizon that never dips too deep; None where none is worth it.

    It closes at frame `until` at the latest.
    """
    found = [trade for trade in _trades(frames, now, until) if trade.gain >= GAIN_MIN]
    return max(found, key=lambda trade: (trade.gain, trade.symbol, trade.side), default=None)


def worst(frames: Sequence[Frame], now: int) -> Trade | None:
    """Return the other side of the best trade: what loses most, and steadily."""
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


@dataclass(slots=True)
class Winner:
    """Takes the best trade there is until its day's goal is reached; each trade closes on the day it was opened."""

    zone: str
    done: bool = False
    paid: bool = False  # whether it has requested its payout
    holding: dict[str, Trade] = field(default_factory=dict)  # by account
    began: dict[str, tuple[date, Decimal]] = field(default_factory=dict)  # each account's day, and the profit before it

    def propose(self, frames: Sequence[Frame], now: int, desk: Desk) -> Proposal | None:
        """Return the actions to propose at a frame."""
        if held := self.holding.get(desk.account):
            return Proposal("CLOSE", held) if now >= held.close_at else None
        if self._has_enough(frames[now], desk):
            return None
        trade = best(frames, now, self._day_end(frames, now))
        return Proposal("OPEN", trade, {"notional": WINS}) if trade else None

    def requests(self, desk: Desk) -> Decimal | None:
        """Return the part of its funded profit that it requests now, once in its life; None otherwise."""
        if not desk.funded or self.paid or desk.account in self.holding or desk.profit < PAYOUT_FROM:
            return None
        self.paid = True
        return (desk.profit / 2).quantize(CENT, rounding=ROUND_DOWN)

    def answered(self, desk: Desk, proposal: Proposal, executed: bool) -> None:
        """Learn what became of the proposal."""
        self.holding.pop(desk.account, None)
        if proposal.verb == "OPEN" and executed:
            self.holding[desk.account] = proposal.trade

    def _has_enough(self, frame: Frame, desk: Desk) -> bool:
        if desk.funded:
            return desk.profit >= FUNDED_GOAL
        today = self._day(frame)
        if self.began.get(desk.account, (None,))[0] != today:
            self.began[desk.account] = today, desk.profit
        return desk.profit - self.began[desk.account][1] >= DAY_GOAL

    def _day(self, frame: Frame) -> date:
        return frame.time.astimezone(ZoneInfo(self.zone)).date()

    def _day_end(self, frames: Sequence[Frame], now: int) -> int:
        """Return the last frame of this day."""
        ahead = range(now, min(now + HORIZON, len(frames)))
        return max(n for n in ahead if self._day(frames[n]) == self._day(frames[now]))


@dataclass(slots=True)
class Loser:
    """Wins once, then takes the worst trades; paused, it tries to open another, and afterwards stakes all it may."""

    done: bool = False
    holding: Trade | None = None
    closed: int = 0
    paused_until: datetime | None = None  # the newest pause it has tried to trade through

    def propose(self, frames: Sequence[Frame], now: int, desk: Desk) -> Proposal | None:
        """Return the actions to propose at a frame."""
        paused = desk.blocked_until is not None and frames[now].time < desk.blocked_until
        if paused and self.paused_until != desk.blocked_until:
            self.paused_until = desk.blocked_until
            trade = worst(frames, now) or self.holding
            return Proposal("OPEN", trade, {"notional": LOSES}) if trade else None
        if self.holding:
            return Proposal("CLOSE", self.holding) if now >= self.holding.close_at else None
        if paused:
            return None
        if self.closed == 0:
            trade, notional = best(frames, now), WINS_ONCE
        else:
            trade, notional = worst(frames, now), LOSES_ALL if self.paused_until else LOSES
        return Proposal("OPEN", trade, {"notional": notional}) if trade else None

    def answered(self, desk: Desk, proposal: Proposal, executed: bool) -> None:
        """Learn what became of the proposal."""
        if proposal.verb == "OPEN" and executed:
            self.holding = proposal.trade
        elif proposal.verb == "CLOSE":
            self.holding, self.closed = None, self.closed + 1


@dataclass(slots=True)
class DayTrader:
    """Takes the worst trade until the desk closes its day, tries to open another, and trades on the next day."""

    done: bool = False
    holding: Trade | None = None
    blocked_until: datetime | None = None  # the end of the day that was closed

    def propose(self, frames: Sequence[Frame], now: int, desk: Desk) -> Proposal | None:
        """Return the actions to propose at a frame."""
        if desk.blocked_until is not None and frames[now].time < desk.blocked_until:
            trade, self.holding = self.holding, None  # the desk has closed it
            self.blocked_until = desk.blocked_until
            return Proposal("OPEN", trade, {"notional": LOSES}) if trade else None
        if self.holding:
            return Proposal("CLOSE", self.holding) if now >= self.holding.close_at else None
        trade = best(frames, now) if self.blocked_until else worst(frames, now)
        if trade is None or self.done:
            return None
        if self.blocked_until:
            return Proposal("OPEN", trade, {"notional": WINS_ONCE})
        return Proposal("OPEN", trade, {"notional": LOSES, "stopLoss": str(_far_stop(frames[now], trade))})

    def answered(self, desk: Desk, proposal: Proposal, executed: bool) -> None:
        """Learn what became of the proposal."""
        if proposal.verb == "OPEN" and executed:
            self.holding = proposal.trade
        elif proposal.verb == "CLOSE":
            self.holding, self.done = None, self.blocked_until is not None


def _far_stop(frame: Frame, trade: Trade) -> Decimal:
    """Return a stop-loss of the trade that is not reached while the desk has a say."""
    away = -FAR if trade.side == "LONG" else FAR
    return round(frame.mids[trade.symbol] * (1 + away), precision(trade.symbol))
