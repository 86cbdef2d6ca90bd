"""Instruments, the newest quote of each, and the quote history."""

from models.views.list_query import Listing, NarrowFilter, OrderKey
from models.views.visibility import of_desk

INSTRUMENTS = Listing(
    columns="""t.symbol, t.kind, t.base_currency, t.quote_currency, t.price_precision, t.quantity_step, t.quantity_min,
  t.notional_min, t.contract_size, t.status, t.version, t.created_at, t.updated_at, t.guard_mode, t.guard_move_pct,
  t.guard_move_seconds, t.guard_spread_pct, t.guard_frozen_seconds,
  array(select n.name from instrument_names n where n.symbol = t.symbol and n.name <> t.symbol order by n.name)
    as aliases""",
    source="instruments t",
    visibility=of_desk,
    order=(OrderKey("t.symbol", "symbol", str),),
    descending=False,
    id="t.symbol = any({}::text[])",
    filters={"kind": "t.kind = any({}::text[])", "status": "t.status = {}"},
)
QUOTES = Listing(
    columns="t.symbol, t.bid, t.ask, t.source_time, t.batch",
    source="latest_quotes t",
    visibility=of_desk,
    order=(OrderKey("t.symbol", "symbol", str),),
    descending=False,
    filters={"symbols": NarrowFilter("t.symbol = any({}::text[])")},
)
QUOTE_HISTORY = Listing(
    columns="""t.symbol, t.bid, t.ask, t.source_time, t.batch, exists (
    select from quote_voids v where v.symbol = t.symbol and t.batch between v.first_batch and v.last_batch
      and t.source_time >= v.source_from and t.source_time < v.source_before) as is_void""",
    source="quotes t",
    visibility=of_desk,
    order=(OrderKey("t.batch", "batch"),),
    # The quotes of a symbol are accepted in the order of their source times, so a time limits the range of batches.
    filters={
        "symbol": NarrowFilter("t.symbol = {}"),
        "source_from": NarrowFilter(
            "t.source_time >= {0} and t.batch >= (select quote_batch_at({1}, {0}::timestamptz))"
        ),
        "source_before": NarrowFilter(
            "t.source_time < {0} and t.batch < (select quote_batch_at({1}, {0}::timestamptz))"
        ),
    },
)
