"""Server processes that run behind others: on the machine of the database, where this process may say so."""

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

import asyncpg

from config.asyncpg_internals import socket_of

NICENESS = 10  # a tenth of a processor that others want, too: enough to let go of what it holds inside the server
_CREDENTIALS = struct.Struct("3i")  # process, user and group, as the kernel tells of the other end of a socket


def can_lower(conn: asyncpg.Connection) -> bool:
    """Return whether this process may let the connection's server process run behind others.

    Only over a local socket, whose other end is known to be the parent of that process.
    """
    process = conn.get_server_pid()
    parent = _parent(process)
    if process <= 0 or parent <= 0 or parent != _server(conn):  # 0: it is hidden from us, as in a container
        return False
    return os.geteuid() in (0, Path(f"/proc/{process}").stat().st_uid)


async def lower(conn: asyncpg.Connection) -> None:
    """Let the connection's server process run behind others from now on, where this process may."""
    if can_lower(conn):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, conn.get_server_pid(), NICENESS)


def _server(conn: asyncpg.Connection) -> int:
    """Return the process that listens at the other end of a local socket; -1 where it cannot be told."""
    ours = socket_of(conn)
    if ours is None or ours.family != socket.AF_UNIX:
        return -1
    told = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process: int = _CREDENTIALS.unpack(told)[0]
    return process


def _parent(process: int) -> int:
    """Return the parent of a process; 0 where there is none of this number."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
    except OSError:
        return 0
    return int(after_name.split()[1])
