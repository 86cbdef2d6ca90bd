"""Exports of ledger, transfers and audit as CSV files."""

from datetime import datetime
from enum import StrEnum

from domain.errors import InvalidInput, NotFound
from models import exports
from models.exports import Sink
from models.tables.brands import Brand
from services.unit_of_work.reads import read_snapshot


class ExportKind(StrEnum):
    LEDGER = "ledger"
    TRANSFERS = "transfers"
    AUDIT = "audit"


STATEMENTS = {
    ExportKind.LEDGER: exports.LEDGER,
    ExportKind.TRANSFERS: exports.TRANSFERS,
    ExportKind.AUDIT: exports.AUDIT,
}


async def export_rows(kind: ExportKind, since: datetime, until: datetime, brand: str | None, sink: Sink) -> int:
    """Stream the rows from `since` to before `until` to the sink as CSV; return how many there were.

    Ledger and transfers go by market time, the audit by recording time; all are read in one snapshot. Raises
    InvalidInput for an empty span, NotFound for an unknown brand.
    """
    if since >= until:
        raise InvalidInput("to", reason="must be after from", since=since.isoformat(), until=until.isoformat())
    if brand is not None and not await Brand.filter(name=brand).exists():
        raise NotFound("brand", brand=brand)
    async with read_snapshot() as conn:
        return await exports.copy_csv(conn, STATEMENTS[kind], since, until, brand, sink)
