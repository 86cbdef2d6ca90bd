"""Void quotes, the newest declaration first."""

from models.views.list_query import Listing
from models.views.visibility import of_desk

QUOTE_VOIDS = Listing(
    columns="""t.id, t.symbol, t.source_from, t.source_before, t.first_batch, t.last_batch, t.quotes, t.reason,
  t.recorded_at""",
    source="quote_voids t",
    visibility=of_desk,
    filters={"symbol": "t.symbol = {}"},
)
