"""What the processes' logs say that they should not: errors that no fault explains."""

import json
import re
from collections import Counter

from tests.cluster.desk import Desk

EXPECTED = re.compile(
    r"(ConnectionDoesNotExistError|InternalClientError|ConnectionRefusedError|CannotConnectNowError|ConnectionResetError|InterfaceError"
    r"|AdminShutdownError|CrashShutdownError|OperatorInterventionError|PostgresConnectionError|TooManyConnectionsError"
    r"|OperationalError|AdminShutdown|PoolTimeout|Unavailable|DiskFull|DiskFullError|OSError|BrokenPipeError"
    r"|TimeoutError|LockNotAvailableError|QueryCanceledError|DBConnectionError|ConnectionFailureError|PoolClosed"
    r"|UndefinedTable|Locked|UndefinedTableError|ConnectionClosed|InvalidSchemaName|InsufficientResources)"
)
"""Errors that a fault of the schedule causes: the database away, its disk full, a broker without tables."""

NAMED = re.compile(r"^[A-Za-z_][\w.]*(?:: .*)?$", re.MULTILINE)
"""The line of a traceback that names the error; what PostgreSQL adds to its message follows on lines of their own."""


def findings(desk: Desk) -> list[str]:
    """Tracebacks of other kinds, each with how often it came; and whatever is not a line of the log at all."""
    kinds = Counter[str]()
    for line in desk.log_lines('"traceback"', "Traceback", "PANIC", "Fatal Python error"):
        name, _, text = line.partition(": ")
        try:
            record = json.loads(text)
        except ValueError:
            kinds[f"{name.split('-')[0]} wrote {text[:200]!r}"] += 1
            continue
        error = _error(f"{record.get('traceback', '')}\n{record.get('message', '')}")
        if not EXPECTED.search(error.partition(":")[0]):
            kinds[f"{name.split('-')[0]} logged {record.get('message', '')[:120]!r} of {error[:200]!r}"] += 1
    return [f"{kind}, {many} times" for kind, many in kinds.most_common()]


def _error(text: str) -> str:
    """The last error that a traceback names."""
    named = [line for line in NAMED.findall(text) if not line.startswith(("DETAIL:", "HINT:", "LINE ", "Traceback"))]
    return next((line for line in reversed(named) if "." in line.partition(":")[0] or "Error" in line), "")
