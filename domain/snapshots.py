"""An account as it stands at a market: its balances, its exposure, and each holding with its mark."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.accounts import Account
from domain.execution import Moment
from domain.holdings import Holding, holdings
from domain.instruments import Catalogue
from domain.money import ZERO, divide, round8
from domain.positions import Side


@dataclass(frozen=True, slots=True)
class Exposure:
    """Notionals at marks, in the account's currency; net is positive where the longs outweigh."""

    long: Decimal
    short: Decimal

    @property
    def gross(self) -> Decimal:
        return self.long + self.short

    @property
    def net(self) -> Decimal:
        return self.long - self.short


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The account as a mark at this moment would leave it; `seq` and `head` are those of its last written row."""

    account: Account
    at: datetime
    marked_through: int
    seq: int
    head: bytes
    holdings: tuple[Holding, ...]
    exposure: Exposure

    @property
    def leverage_used(self) -> Decimal | None:
        """Gross exposure in times of the equity; None where there is exposure and no equity to carry it."""
        gross, equity = self.exposure.gross, self.account.equity
        if equity > 0:
            return round8(divide(gross, equity))
        return None if gross else ZERO

    @property
    def margin_used(self) -> Decimal:
        return round8(divide(self.exposure.gross, self.account.policy.leverage_max))

    @property
    def margin_free(self) -> Decimal:
        """The free margin: of the lower of balance and equity; negative beyond it."""
        return min(self.account.balance, self.account.equity) - self.margin_used


def snapshot(account: Account, moment: Moment, catalogue: Catalogue, *, seq: int, head: bytes) -> Snapshot:
    """`account` has been brought to the moment; `seq` and `head` are what is written of it."""
    every = holdings(account, moment.market, moment.at, catalogue)
    sums = {side: sum((h.notional for h in every if h.position.side is side), ZERO) for side in Side}
    exposure = Exposure(sums[Side.LONG], sums[Side.SHORT])
    return Snapshot(account, moment.at, account.marked_through, seq, head, every, exposure)
