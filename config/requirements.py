"""Checks of a database before the desk migrates or uses it; each error is one line that says what to do."""

from collections.abc import Collection

import asyncpg

from config.address import Address
from config.errors import Problem
from config.sessions import APPLICATION_ROLE, quoted

EXTENSIONS = ("pg_trgm", "btree_gin")  # of PostgreSQL's contrib modules
_NAMED_MAX = 5  # the most foreign tables that a message lists

_TABLES = """select c.relname::text as name, pg_has_role(c.relowner, 'usage') as owned,
  pg_get_userbyid(c.relowner)::text as owner
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and not exists (
    select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 1"""
_VERSIONS = "select version from public.aerich where app = 'models'"
_IDENTITY = """select pg_postmaster_start_time()::text as started, oid::int8 as number
from pg_database where datname = current_database()"""
_RIGHTS = """select u.rolname::text as name, u.rolsuper as super, u.rolcreaterole as creates,
  a.oid is not null as role_exists,
  coalesce(pg_has_role(u.oid, a.oid, case when $1 >= 16 then 'set' else 'member' end), false) as takes,
  coalesce(pg_has_role(u.oid, a.oid, 'member with admin option') or (u.rolcreaterole and $1 < 16), false) as gives,
  has_database_privilege(current_database(), 'create') as database,
  has_schema_privilege('public', 'create') as schema,
  array(select name from unnest($3::text[]) as e (name) where not exists (
    select from pg_available_extensions v where v.name = e.name)) as unavailable,
  array(select name from unnest($3::text[]) as e (name) where not u.rolsuper
    and not exists (select from pg_extension x where x.extname = e.name) and not exists (
    select from pg_available_extension_versions v where v.name = e.name and v.trusted)) as untrusted
from pg_roles u left join pg_roles a on a.rolname = $2 where u.rolname = current_user"""


async def require_current(conn: asyncpg.Connection, address: Address, wanted: Collection[str]) -> None:
    """Raise Problem unless the database has exactly the migrations of this program."""
    versions = await _versions(conn, address, wanted)
    if versions is None:
        raise Problem(f"the schema of {address} is missing; run: propdesk migrate")
    _require_no_newer(address, versions, wanted)
    if versions != set(wanted):
        raise Problem(f"the schema of {address} is older than this program; run: propdesk migrate")


async def require_migratable(
    conn: asyncpg.Connection, address: Address, wanted: Collection[str], login: str | None = None
) -> None:
    """Raise Problem if the database belongs to another program, has a newer schema, or the login lacks a right.

    The message contains the statements for a DBA. `login`: the services' user; None: the user that migrates.
    """
    versions = await _versions(conn, address, wanted)
    if versions is not None:
        _require_no_newer(address, versions, wanted)
        if versions == set(wanted):
            return
    rights = await conn.fetchrow(_RIGHTS, conn.get_server_version().major, APPLICATION_ROLE, list(EXTENSIONS))
    assert rights, "somebody asks"
    if rights["unavailable"]:
        raise Problem(
            f"the server of {address} has not the extensions {', '.join(rights['unavailable'])}; install PostgreSQL's "
            "contrib modules there (a package of their own in some distributions)"
        )
    if statements := [*_role_statements(rights, login), *_database_statements(rights, address)]:
        raise Problem(
            f"{rights['name']} lacks rights at {address}; a DBA runs these there, then run propdesk migrate again: "
            f"{' '.join(statements)}"
        )
    others = [row for row in await conn.fetch(_TABLES) if not row["owned"]]
    if others:
        raise Problem(
            f"{address}: the table {others[0]['name']} belongs to {others[0]['owner']}, not to {rights['name']}; "
            f"migrate as {others[0]['owner']}, or a DBA gives this one the desk's objects: "
            f"REASSIGN OWNED BY {quoted(others[0]['owner'])} TO {quoted(rights['name'])};"
        )


def _role_statements(rights: asyncpg.Record, login: str | None) -> list[str]:
    """Return the statements that create the services' role and grant it to the login, where missing."""
    owner = rights["name"]
    taker = login or owner
    if rights["super"] or (not rights["role_exists"] and rights["creates"]):
        return []
    grant = [] if taker == APPLICATION_ROLE else [f"GRANT {APPLICATION_ROLE} TO {quoted(taker)};"]
    if not rights["role_exists"]:
        choices = " LOGIN PASSWORD '...'" if taker == APPLICATION_ROLE else ""
        return [f"CREATE ROLE {APPLICATION_ROLE}{choices};", *grant]
    return grant if taker == owner and not rights["takes"] and not rights["gives"] else []


def _database_statements(rights: asyncpg.Record, address: Address) -> list[str]:
    found, owner = [], quoted(rights["name"])
    if not rights["database"]:
        found.append(f"GRANT CREATE ON DATABASE {quoted(address.database)} TO {owner};")
    if not rights["schema"]:
        found.append(f"GRANT CREATE ON SCHEMA public TO {owner};")
    return found + [f"CREATE EXTENSION {name};" for name in rights["untrusted"]]


async def identity_of(conn: asyncpg.Connection) -> tuple[str, int]:
    """Return a unique identity of the database: its server's start time and its OID."""
    row = await conn.fetchrow(_IDENTITY)
    return row["started"], row["number"]


async def versions_of(conn: asyncpg.Connection) -> set[str]:
    """Return the names of all applied migrations, of any program."""
    try:
        return {row["version"] for row in await conn.fetch(_VERSIONS)}
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):  # no table, or a foreign one of that name
        return set()


async def _versions(conn: asyncpg.Connection, address: Address, wanted: Collection[str]) -> set[str] | None:
    """Return the applied migrations; None for an empty database. Raises Problem if another program's tables exist."""
    names = [row["name"] for row in await conn.fetch(_TABLES)]
    versions = await versions_of(conn)
    others = [name for name in names if name != "aerich"]
    if others and versions.isdisjoint(wanted):
        named = ", ".join(others[:_NAMED_MAX]) + (", ..." if len(others) > _NAMED_MAX else "")
        raise Problem(
            f"{address.variable} ({address}) is a database of something else: it has {named}, and nothing of the desk; "
            "give the desk a database of its own"
        )
    return versions if names else None


def _require_no_newer(address: Address, versions: Collection[str], wanted: Collection[str]) -> None:
    if newer := sorted(set(versions) - set(wanted)):
        raise Problem(
            f"the schema of {address} is newer than this program, which does not know {', '.join(newer)}; "
            "run the program that made it, or a newer one"
        )
