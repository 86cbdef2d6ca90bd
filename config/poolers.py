"""Detection of a connection pooler, and of its mode: each client needs one session of its own.

A pooler answers the start of a session itself, so the process number that it gives its client is not that of the
server's process. The desk keeps a role, settings, advisory locks, listeners and prepared statements in its sessions; a
pooler that shares sessions between transactions would mix them with those of others.
"""

import asyncpg

from config.address import Address, Host, asyncpg_parameters
from config.errors import Problem

_OWN = "select pg_backend_pid()"
_TURNS = (0, 1, 0, 0, 1, 0, 1, 1)  # of two clients: none fits a pooler that hands sessions out in turns
_MIXED = (
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
)  # statements of another session
_REFUSED = "statement pooling"  # what a pooler says of BEGIN where it has no transactions

_Pool = tuple[Host, str, str]  # with database and user: each may have a mode of its own
_poolers: set[_Pool] = set()
_examined: set[_Pool] = set()  # no pooler, or one that leaves each client its session


async def is_pooled(conn: asyncpg.Connection) -> bool:
    """Whether something that speaks PostgreSQL's protocol stands between this session and its server."""
    return bool(await conn.fetchval(_OWN) != conn.get_server_pid())


async def require_own_session(conn: asyncpg.Connection, address: Address, host: Host) -> None:
    """Raise Problem where a pooler shares sessions between its clients' transactions. A pooler is examined once."""
    key = host, address.database, address.user
    if key in _examined:
        return
    try:
        if await is_pooled(conn):
            _poolers.add(key)
            await _require_constancy(conn, address, host)
    except _MIXED:
        raise _shared(address) from None
    except asyncpg.PostgresError as error:
        if _REFUSED not in str(error):
            raise
        raise _shared(address) from None
    _examined.add(key)


def hint(address: Address, host: Host) -> str:
    """Return a hint for a session that does not open in time."""
    pooled = (host, address.database, address.user) in _poolers
    return " (has the pooler a session left? see its pool_size)" if pooled else ""


async def _require_constancy(conn: asyncpg.Connection, address: Address, host: Host) -> None:
    """Two clients in turns: a session that both get, or another session than before, is shared."""
    parameters = asyncpg_parameters(address, host)
    other = await asyncpg.connect(**parameters, statement_cache_size=0, timeout=None)
    try:
        processes: dict[int, int] = {}
        for turn in _TURNS:
            client = (conn, other)[turn]
            await client.execute("begin")
            process = await client.fetchval(_OWN)
            await client.execute("commit")
            if processes.setdefault(turn, process) != process or processes.get(1 - turn) == process:
                raise _shared(address)
    finally:
        other.terminate()


def _shared(address: Address) -> Problem:
    return Problem(
        f"{address.variable} ({address}) leads to a pooler that shares sessions between transactions, and the desk "
        "keeps its role, locks and statements in them; set pool_mode = session there, or give the server's own address"
    )
