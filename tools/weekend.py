"""An account in euros over a weekend: its instrument is quoted, the rate that converts it is not.

The bot has seen the quotes. It opens a position on the last quotes before the weekend, reduces it on the first of the
weekend, and has placed its stop-loss where a later quote of the weekend reaches it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from tools.bots import Desk, Frame, Proposal, Trade
from tools.firm import precision

RATE = "EURUSD"  # converts everything priced in USD to the account's currency
SILENCE_MIN = timedelta(days=1)
ROOM_MIN = Decimal("0.0005")  # of the price, between the stop-loss and the quotes on both sides of it
NOTIONAL = "20000"


@dataclass(frozen=True, slots=True)
class Weekend:
    """The trades while the rate has no quotes; `opens_at` and the others are frame indexes."""

    symbol: str
    side: str
    opens_at: int
    reduces_at: int
    ends_at: int  # the last quote of the symbol before the rate is quoted again
    stop_loss: Decimal


def plan(frames: Sequence[Frame]) -> Weekend | None:
    """Return the first weekend that can be played: with a symbol in USD that moves on while the rate is silent."""
    for opens_at, silent in _silences(frames):
        for symbol in sorted(frames[opens_at].mids):
            quoted = [n for n in silent if symbol in frames[n].mids]
            if symbol.endswith("USD") and len(quoted) > 1:
                mids = [frames[n].mids[symbol] for n in (opens_at, *quoted)]
                if side_and_stop := _protect(mids, precision(symbol)):
                    return Weekend(symbol, side_and_stop[0], opens_at, quoted[0], quoted[-1], side_and_stop[1])
    return None


def _silences(frames: Sequence[Frame]) -> Iterator[tuple[int, range]]:
    """Yield each frame with the rate that is followed by a long silence of it, and the frames of the silence."""
    quoted = [n for n, frame in enumerate(frames) if RATE in frame.mids and n > 0]
    for before, after in pairwise(quoted):
        if after > before + 1 and frames[after].time - frames[before].time >= SILENCE_MIN:
            yield before, range(before + 1, after)


def _protect(mids: Sequence[Decimal], places: int) -> tuple[str, Decimal] | None:
    """The side that loses after the second mid, and a stop-loss between the first two mids and the extreme of the rest.

    None where the price moves too little.
    """
    low, high = min(mids[:2]), max(mids[:2])
    fall, rise = low - min(mids[2:], default=low), max(mids[2:], default=high) - high
    if max(fall, rise) < 2 * ROOM_MIN * mids[0]:
        return None
    side, stop = ("LONG", low - fall / 2) if fall >= rise else ("SHORT", high + rise / 2)
    return side, round(stop, places)


@dataclass(slots=True)
class Weekender:
    """Plays one weekend."""

    weekend: Weekend
    done: bool = False

    def propose(self, frames: Sequence[Frame], now: int, desk: Desk) -> Proposal | None:
        """Open with a stop-loss before the weekend, and reduce by half in it; None at any other frame."""
        weekend = self.weekend
        trade = Trade(weekend.symbol, weekend.side, weekend.ends_at, Decimal(0))
        self.done = now >= weekend.ends_at
        if now == weekend.opens_at:
            return Proposal("OPEN", trade, {"notional": NOTIONAL, "stopLoss": str(weekend.stop_loss)})
        if now == weekend.reduces_at:
            return Proposal("REDUCE", trade, {"fraction": "0.5"})
        return None

    def answered(self, desk: Desk, proposal: Proposal, executed: bool) -> None:
        """Nothing depends on the answer: the weekend is planned from the quotes."""
