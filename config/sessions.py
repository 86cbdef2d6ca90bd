"""One session with PostgreSQL: the hosts of an address in order, its settings, and the role it works as.

What the desk needs is set after connecting and then looked at, because poolers refuse start-up parameters, or drop them
without a word: a session that should work as the lesser role would be a superuser's.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import asyncpg

from config.address import Address, Host, asyncpg_parameters, parse
from config.asyncpg_internals import socket_of
from config.errors import Problem
from config.fence import Lookout, fence
from config.keepalives import Keepalives, keepalives
from config.outages import AWAY
from config.poolers import hint, require_own_session

APPLICATION_ROLE = "propdesk_app"  # owns nothing: what the ledger's triggers refuse, it cannot switch off
VERSION_MIN = 15  # the oldest PostgreSQL that the desk supports

_SETTINGS = {  # on which statements and their texts rely, whatever database, role or pooler have set
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "default_transaction_isolation": "read committed",
}
_SET = "select set_config(name, value, false) from unnest($1::text[], $2::text[]) as s (name, value)"
_TAKE_ROLE = "select set_config('role', $1, false)"
_LOOK = """select current_user::text as role, session_user::text as login, current_schema()::text as schema,
  current_setting('server_encoding') as encoding, pg_is_in_recovery() as recovers,
  current_setting('transaction_read_only')::bool as reads_only"""
_TRY_NEXT = (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError)
_REFUSED = (
    asyncpg.UndefinedObjectError,
    asyncpg.CantChangeRuntimeParamError,
    asyncpg.DataError,
    asyncpg.InsufficientPrivilegeError,
)


class Unreachable(ConnectionError):
    """No server of the address will do now: each is away, or is no primary. The message says it of each."""


async def open_session(
    url: str,
    *,
    process: str,
    role: str | None = APPLICATION_ROLE,
    settings: Mapping[str, str] = MappingProxyType({}),
    writes: bool = True,
    silence_seconds: float | None = None,
    variable: str | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - as asyncpg's pool gives it
    **options: Any,
) -> asyncpg.Connection:
    """Open a session, known to the server as `propdesk-<process>`, that works as `role`; None: as the URL's own user.

    Hosts are tried in order, each for `connect_timeout` of the address, and `timeout` seconds at most. `writes`: only a
    primary will do, else what target_session_attrs says. A peer that is silent for `silence_seconds`, by default
    PROPDESK_SILENCE_SECONDS_MAX, is given up at both ends. `options` are asyncpg's. Raises Unreachable where no host of
    several will do, Problem where an operator has to mend something: a role that cannot be taken or was changed, a
    pooler in transaction mode, an old PostgreSQL.
    """
    address = parse(url, variable)
    targets = _targets(address, writes=writes)
    wanted = _SETTINGS | dict(settings) | {"application_name": address.application_name(process)} | address.settings
    silence = Keepalives(silence_seconds) if silence_seconds else keepalives()
    wanted |= silence.of_server()
    seconds = min((limit for limit in (address.connect_seconds, timeout) if limit), default=None)
    if writes and len(address.hosts) > 1:
        await _survey(url)
    failures: list[tuple[Host, BaseException]] = []
    for target in targets:
        for host in sorted(address.hosts_in_order(), key=lambda host: writes and str(host) != fence.primary):
            try:
                async with asyncio.timeout(seconds):
                    conn = await _connect(address, host, target, role, wanted, silence, options)
                    return await _admitted(conn) if writes else conn
            except _TRY_NEXT as error:
                failures.append((host, error))
    if len(failures) == 1 and str(failures[0][1]):
        raise failures[0][1]
    reasons = {
        str(host): reason_of(error) if str(error) else f"no answer within {seconds:g} s{hint(address, host)}"
        for host, error in failures
    }
    raise Unreachable("; ".join(f"{host}: {reason}" for host, reason in reasons.items()))


_surveyed: set[str] = set()


async def _survey(url: str) -> None:
    """Before the first session of this process ask every server of the address, so that the newest primary is known."""
    if url not in _surveyed:
        servers = Lookout(at_each_host(url, process="lookout", role=None))
        try:
            await servers.look()
            _surveyed.add(url)
        except (Problem, *AWAY):  # whoever connects now meets it, too, and says so
            return
        finally:
            servers.close()


def at_each_host(
    url: str, *, process: str, role: str | None = APPLICATION_ROLE
) -> dict[str, Callable[[], Awaitable[asyncpg.Connection]]]:
    """For each host of an address, by its name, how to open a session there, be it a primary or not."""
    address = parse(url)
    named = _SETTINGS | {"application_name": address.application_name(process)} | address.settings
    given = ("any", role, named, keepalives(), dict[str, Any]())
    return {str(host): partial(_connect, address, host, *given) for host in address.hosts}


async def _admitted(conn: asyncpg.Connection) -> asyncpg.Connection:
    """The session, if its server may be written to. Raises Fenced."""
    try:
        await fence.admit(conn)
    except BaseException:
        conn.terminate()
        raise
    return conn


async def _connect(
    address: Address,
    host: Host,
    target: str,
    role: str | None,
    settings: Mapping[str, str],
    silence: Keepalives,
    options: Mapping[str, Any],
) -> asyncpg.Connection:
    conn = await asyncpg.connect(**(dict(options) | asyncpg_parameters(address, host)), timeout=None)
    try:
        if conn.get_server_version().major < VERSION_MIN:
            version = conn.get_server_version()
            raise Problem(
                f"{address} is PostgreSQL {version.major}.{version.minor}; the desk needs {VERSION_MIN} or newer"
            )
        silence.set_on(socket_of(conn), address.options)
        await require_own_session(conn, address, host)
        await _prepare(conn, address, role, settings)
        _require(target, await conn.fetchrow(_LOOK), address, role)
    except BaseException:
        conn.terminate()
        raise
    return conn


async def _prepare(conn: asyncpg.Connection, address: Address, role: str | None, settings: Mapping[str, str]) -> None:
    try:
        await conn.execute(_SET, list(settings), list(settings.values()))
    except _REFUSED as error:
        raise Problem(
            f"{address.variable} ({address}): a setting in its options is refused: {line_of(error)}"
        ) from None
    if role is None:
        return
    try:
        await conn.execute(_TAKE_ROLE, role)
    except asyncpg.InvalidParameterValueError:  # the role is made by the first migration
        raise Problem(f"the role {role} is missing at {address}; run: propdesk migrate") from None
    except asyncpg.InsufficientPrivilegeError:
        raise Problem(
            f"{address.variable} ({address}): {address.user} may not take the role {role}; a DBA runs: "
            f"GRANT {role} TO {quoted(address.user)};"
        ) from None


def _require(target: str, session: asyncpg.Record, address: Address, role: str | None) -> None:
    """Raise Problem unless the session is what it has to be, and Unreachable where another host may be."""
    if role is not None and session["role"] != role:
        raise Problem(
            f"{address.variable} ({address}): its sessions work as {session['role']}, not as {role}: a pooler "
            "changes it; have it keep a session for each client (pool_mode = session), or give the server's own address"
        )
    if session["schema"] != "public" or session["encoding"] != "UTF8":
        raise Problem(
            f"{address.variable} ({address}): its sessions create in the schema {session['schema']} with the encoding "
            f"{session['encoding']}; the desk needs public and UTF8: check search_path, rights on public, and encoding"
        )
    standby, reads_only = session["recovers"], session["recovers"] or session["reads_only"]
    suits = {
        "primary": not standby,
        "read-write": not reads_only,
        "standby": standby,
        "read-only": reads_only,
    }
    if not suits.get(target, True):
        kind = "a standby, in recovery" if standby else "read-only" if reads_only else "a primary"
        raise Unreachable(f"the server is {kind}, and a {target} one is needed")


def _targets(address: Address, *, writes: bool) -> list[str]:
    """Return the accepted kinds of server, in the order in which they are tried."""
    if not writes:
        return ["standby", "any"] if address.target == "prefer-standby" else [address.target]
    if address.target not in ("any", "read-write", "primary"):
        raise Problem(
            f"{address.variable} has target_session_attrs={address.target}, but the desk writes there; "
            "use read-write, or leave it out"
        )
    return ["read-write"]


def quoted(name: str) -> str:
    """The name of a role, as statements want it."""
    return '"' + name.replace('"', '""') + '"'


def reason_of(error: BaseException) -> str:
    """Return why a connection failed, in an operator's words where OpenSSL or asyncpg use internal ones."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message} (see sslmode, sslrootcert)"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return f"{line_of(error)} (a DBA runs: GRANT CONNECT ON DATABASE ...)"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error} (see sslmode, sslcert, sslkey)"
    return line_of(error)


def line_of(error: BaseException) -> str:
    """The message of an error in one line: PostgreSQL's have a DETAIL and a HINT on lines of their own."""
    return " ".join(str(error).split()) or type(error).__name__
