"""The lists and pages of one operation, answered by their compiled selections; the plain executor answers the rest."""

from collections.abc import Awaitable, Callable
from typing import Any

from graphql.pyutils import Path

from schema.engine.document_limits import KEPT
from schema.engine.fast_lists.batched_reads import Completer, PendingReads
from schema.engine.fast_lists.compiled_operations import BooleanVariables, Compilation, field_path
from schema.engine.fast_lists.list_compiler import Fallback, SubfieldCollector, compile_items
from schema.engine.graphql_internals import FieldDetailsList
from schema.engine.paging import Connection
from schema.engine.request_context import Context
from schema.engine.row_types import RowObjects

Plain = Callable[[], Any]
"""Completes the value by graphql-core's own method."""


class FastLists:
    """The fast path of one operation."""

    def __init__(
        self, context: Context, compilation: Compilation, variables: BooleanVariables, collect: SubfieldCollector
    ) -> None:
        self._context = context
        self._compilation = compilation
        self._variables = variables
        self._collect = collect

    def items(self, item_type: Any, details: FieldDetailsList, path: Path, values: Any, plain: Plain) -> Any:
        """Return the answer to a list, or an awaitable of it."""
        are_rows = isinstance(values, RowObjects)
        if not are_rows and type(values) is not list:
            return plain()
        complete = self._completer(path, item_type, details, are_rows=are_rows)
        return self._complete(complete, values.rows if are_rows else values, plain, PendingReads())

    def page(
        self, page_type: Any, details: FieldDetailsList, path: Path, connection: Connection[Any], plain: Plain
    ) -> Any:
        """Return the answer to a page with its list, or an awaitable of it.

        Remember which linked rows the page selects, so that the next execution reads them with the page.
        """
        complete = self._completer(path, page_type, details, are_rows=False)
        if complete is None:
            return plain()
        page, reads = connection.page, PendingReads(connection.page.linked)
        answer = self._complete(lambda reads, pages: complete(reads, pages)[0], [connection], plain, reads)
        if reads.links and page.rows:
            self._compilation.links.setdefault((field_path(path), self._variables), reads.links_of(page.rows))
        return answer

    def _complete(
        self, complete: Callable[[PendingReads, Any], Any] | None, values: Any, plain: Plain, reads: PendingReads
    ) -> Any:
        if complete is None:
            return plain()
        try:
            answer = complete(reads, values)
        except Exception:  # noqa: BLE001 - the plain path raises it again and reports it with its path
            return plain()
        return self._after_reads(reads, answer, plain) if reads.links or reads.portions else answer

    async def _after_reads(self, reads: PendingReads, answer: Any, plain: Plain) -> Any:
        try:
            await reads.run(self._context)
        except Exception:  # noqa: BLE001 - the plain path raises it again and reports it with its path
            again = plain()
            return await again if isinstance(again, Awaitable) else again
        return answer

    def _completer(self, path: Path, kind: Any, details: FieldDetailsList, *, are_rows: bool) -> Completer | None:
        """Return the compiled selection at this path; None where only the plain path can answer."""
        key = (field_path(path), str(kind), are_rows, self._variables)
        completers = self._compilation.completers
        if key not in completers:
            if len(completers) >= KEPT:
                completers.clear()  # a client can send any number of combinations of Boolean variables
                self._compilation.links.clear()
            try:
                completers[key] = compile_items(self._collect, kind, details, are_rows=are_rows)
            except Fallback:
                completers[key] = None
        return completers[key]
