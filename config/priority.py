"""Lower processor priority for PostgreSQL server processes on the same machine."""

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

import asyncpg

from config.asyncpg_internals import socket_of

NICENESS = 10  # a tenth of a contended processor: enough to release the locks that it holds inside the server
_CREDENTIALS = struct.Struct("3i")  # process, user and group of a socket's peer, as the kernel returns them


def can_lower(conn: asyncpg.Connection) -> bool:
    """Return whether this process may lower the priority of the connection's server process.

    It may only over a local socket whose peer is the parent of that process.
    """
    process = conn.get_server_pid()
    parent = _parent(process)
    if process <= 0 or parent <= 0 or parent != _server(conn):  # 0: not visible, as in a container
        return False
    return os.geteuid() in (0, Path(f"/proc/{process}").stat().st_uid)


async def lower(conn: asyncpg.Connection) -> None:
    """Lower the priority of the connection's server process, if this process may."""
    if can_lower(conn):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, conn.get_server_pid(), NICENESS)


def _server(conn: asyncpg.Connection) -> int:
    """Return the process id of a local socket's peer, or -1 if it is unknown."""
    ours = socket_of(conn)
    if ours is None or ours.family != socket.AF_UNIX:
        return -1
    credentials = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process: int = _CREDENTIALS.unpack(credentials)[0]
    return process


def _parent(process: int) -> int:
    """Return the parent's process id, or 0 if the process does not exist."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
    except OSError:
        return 0
    return int(after_name.split()[1])
