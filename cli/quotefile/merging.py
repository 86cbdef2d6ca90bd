"""Several files as one stream of batches by time, with a row of each open file in memory at a time."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from pathlib import Path

from cli.quotefile.plans import Options, plan_of
from cli.quotefile.reading import Reading
from cli.quotefile.rows import BadRow, FileBatch, FileQuote, QuoteRow
from cli.quotefile.scanning import Summary, scan
from cli.quotefile.sources import sources_of
from config.errors import Problem

ROWS_MAX = 2_000  # of a batch: what one request takes with room to spare


class QuoteFiles:
    """Files that were read through and found usable. Raises Problem naming the first that is not."""

    def __init__(self, paths: Sequence[Path], options: Options | None = None) -> None:
        plans = [plan_of(source, options or Options()) for source in sources_of(paths)]
        self.tables: list[Summary] = [scan(plan) for plan in plans]

    @property
    def quotes(self) -> int:
        return sum(table.quotes for table in self.tables)

    @property
    def first(self) -> datetime:
        return min(table.first for table in self.tables if table.first)

    def batches(self) -> Iterator[FileBatch]:
        """All quotes by time, those of one time in the order of the files; a crowded time comes in several batches.

        A file is opened when its first quote is due.
        """
        time, rows, count = None, list[QuoteRow](), 0
        try:
            for quote in self._merged():
                if rows and (quote.time != time or len(rows) == ROWS_MAX):
                    yield FileBatch(rows[0].time, tuple(rows))
                    count += len(rows)
                    rows = []
                time = quote.time
                rows.append(quote)
        except BadRow as bad:  # it was sound when it was read through
            raise Problem(f"a file has changed since it was checked: {bad}; {count:,} quotes were handed in") from None
        if rows:
            yield FileBatch(rows[0].time, tuple(rows))

    def _merged(self) -> Iterator[QuoteRow]:
        due: list[tuple[datetime, int, QuoteRow | None]] = [
            (table.first, place, None) for place, table in enumerate(self.tables) if table.first
        ]
        heapify(due)
        streams: dict[int, Iterator[FileQuote]] = {}
        while due:
            _, place, quote = heappop(due)
            if quote is not None:
                yield quote
            else:
                streams[place] = Reading(self.tables[place].plan).quotes()
            following = next(streams[place], None)
            if following is None:
                del streams[place]
            else:
                heappush(due, (following.quote.time, place, following.quote))
