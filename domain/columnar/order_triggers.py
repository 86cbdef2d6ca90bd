"""Working orders in columns: one market price is compared with the trigger prices of many orders."""

from dataclasses import dataclass

from domain.columnar.fixed_point import Columns, Ints, level
from domain.columnar.position_groups import SlotTable
from domain.orders import Order
from domain.quotes import Market
from domain.terms import Slippage
from domain.valuation import deal_price

Key = tuple[int, int]  # the account's row in the shard, the order's seq


@dataclass(slots=True)
class TriggerPrices(Columns):
    row: Ints
    seq: Ints
    price: Ints  # in whole units


@dataclass(frozen=True, slots=True)
class TriggerPrice:
    """The market price that an order waits for: of which symbol, side and slippage, and in which direction."""

    symbol: str
    currency: str  # of the accounts
    slippage: Slippage
    buys: bool
    falls: bool


def trigger_price(order: Order, currency: str, slippage: Slippage) -> TriggerPrice:
    """Return the market price that the order waits for."""
    assert order.price is not None, "an order rests at a price"
    falls = order.type.reached(order.price / 2, order.price, buys=order.buys)
    return TriggerPrice(order.symbol, currency, slippage, order.buys, falls)


class TriggerIndex(SlotTable[TriggerPrices, Key]):
    """The orders that wait for the same market price."""

    def __init__(self, what: TriggerPrice) -> None:
        super().__init__(TriggerPrices.empty(0))
        self.what = what

    def _key(self, place: int) -> Key:
        return int(self.columns.row[place]), int(self.columns.seq[place])

    def add(self, row: int, order: Order) -> Key:
        """Add the order; return the key by which it is dropped."""
        assert order.price is not None, "an order rests at a price"
        key = row, order.seq
        self.put(key, row=row, seq=order.seq, price=level(order.price))
        return key

    def rows(self) -> Ints:
        """Return the account rows of all orders."""
        return self.columns.row[: len(self)]

    def reached(self, market: Market) -> Ints:
        """Return the account rows of orders whose price the market has reached, or is less than a unit away from."""
        price = level(deal_price(market[self.what.symbol], self.what.buys, self.what.slippage))
        prices = self.columns.price[: len(self)]
        reached: Ints = self.rows()[prices >= price if self.what.falls else prices <= price]
        return reached
