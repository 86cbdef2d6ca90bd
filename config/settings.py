"""The settings of an operator, read from the environment once per process."""

import os
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, Json, ValidationError, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from config.errors import Problem
from config.limits import DocumentLimits, RequestLimits
from config.setting_groups import PREFIX, Address, Group, Share, Shown, Text

Environment = Literal["development", "production"]

KEEP_DAYS_MAX = 36_500
SECRET_MIN = 32  # characters
SECRET_VARIETY_MIN = 10  # different ones, in production
GUESSABLE = ("secret", "change", "example", "password", "default")  # in production: of a document, not of a generator


def default_data_dir() -> Path:
    """Root keeps its data in /var/lib: another system user has to reach it, so never under a home folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/propdesk")
    return platformdirs.user_data_path("propdesk")


class Addresses(Group):
    """Addresses and data"""

    database_url: Address | None = Field(default=None, validation_alias="DATABASE_URL")
    """The PostgreSQL database of the services; none: the embedded server"""
    read_url: Address | None = Field(default=None, validation_alias="DATABASE_READ_URL")
    """A standby for lists, counts, exports and `verify`; none: the primary serves them"""
    database_direct_url: Annotated[Address | None, Shown(default="`DATABASE_URL`")] = Field(
        default=None, validation_alias="DATABASE_DIRECT_URL"
    )
    """The database address for sessions that must bypass a pooler: LISTEN, shard ownership, migrations"""
    owner_url: Annotated[Address | None, Shown(default="`DATABASE_DIRECT_URL`")] = Field(
        default=None, validation_alias="OWNER_DATABASE_URL"
    )
    """The database address for migrations, if the services log in as a role with fewer rights"""
    broker_url: Annotated[Address | None, Shown(default="the database")] = Field(
        default=None, validation_alias="BROKER_URL"
    )
    """The broker that carries wake-ups: `postgresql://`, `redis://` or `rediss://`, `amqp://` or `amqps://`"""
    data_dir: Annotated[Path, Shown("path", "`/var/lib/propdesk` as root, else the user's data folder")] = Field(
        default_factory=default_data_dir
    )
    """The folder of the embedded PostgreSQL and the sample tokens"""
    host: Annotated[str, Shown("address")] = "127.0.0.1"
    """The host name or IP address at which the API listens"""
    port: int = Field(default=8000, ge=1, le=65535)
    """The port at which the API listens"""
    tls_terminated: bool = False
    """Whether a proxy in front of the desk terminates TLS. Production requires it unless the API listens on loopback"""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, Shown("addresses and networks, separated by commas")] = ()
    """Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` headers the API trusts"""
    allowed_origins: Annotated[tuple[str, ...], NoDecode, Shown("origins, separated by commas; `*`: any")] = ()
    """Origins of web pages on other hosts that may call the API"""

    @field_validator("allowed_origins", "trusted_proxies", mode="before")
    @classmethod
    def _parted(cls, given: object) -> object:
        return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, host = urlsplit(origin)[:2]
            if origin != "*" and (scheme not in ("http", "https") or not host or origin != f"{scheme}://{host}"):
                raise ValueError(f"{origin!r} is no origin such as https://desk.example")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ip_network(proxy)  # its ValueError says what is wrong
        return proxies


class EnvironmentAndLogs(Group):
    """Environment and logs"""

    environment: Environment = "development"
    """`production` disables GraphiQL, introspection, suggestions and sample data"""
    sample_data: Annotated[bool, Shown(default="`true` in development")] = Field(
        default_factory=lambda known: known.get("environment") == "development"
    )
    """Whether `propdesk up` creates a sample brand and feeds it simulated quotes"""
    sample_tokens: Annotated[Json[dict[str, str]], Shown("JSON", "none")] = Field(
        default_factory=dict, validate_default=False
    )
    """Tokens by role that `propdesk up` passes to the GraphiQL page"""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The lowest level that is logged"""
    log_format: Annotated[Literal["text", "json"], Shown(default="`text`, in production `json`")] = Field(
        default_factory=lambda known: "json" if known.get("environment") == "production" else "text"
    )
    """The log format: readable lines, or one JSON object per line"""
    metrics: Annotated[bool, Shown(default="`true` in development")] = Field(
        default_factory=lambda known: known.get("environment") == "development"
    )
    """Whether the API serves `/metrics` at its port"""
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """The port at which a worker serves its metrics"""
    task_failures_max: int = Field(default=10, ge=1)
    """Consecutive failures of a background task after which its process exits"""


class Database(Group):
    """Database"""

    pool_size: Annotated[int, Shown("connections")] = Field(default=10, ge=2, le=500)
    """Database connections of one process"""
    pool_share_bearer: Share = Field(default=0.4, gt=0, le=1)
    """Connections that one bearer may use at once in an API process; half as many while others wait"""
    pool_share_brand: Share = Field(default=0.7, gt=0, le=1)
    """The same of all bearers of one brand"""
    database_share_bearer: Annotated[float, Shown("seconds a second")] = Field(default=0.5, gt=0)
    """Statement seconds that one bearer may use in an API process while others ask; beyond it one connection at
    once. As many as its connections: nobody is held back"""
    database_share_brand: Annotated[float, Shown("seconds a second")] = Field(default=1, gt=0)
    """The same of all bearers of one brand; beyond it two connections at once"""
    read_lag_seconds_max: float = Field(default=5, ge=0.1, le=300)
    """The largest lag of a standby that still serves reads; beyond it the primary serves them"""
    queue_bearer_max: Annotated[int, Shown("reads and transactions")] = Field(default=500, ge=1)
    """The number of one bearer's reads and transactions that may wait for a connection; further ones are BUSY"""
    queue_seconds_max: float = Field(default=10, gt=0)
    """The longest wait of each of them; after it the request is BUSY"""
    statement_seconds_max: float = Field(default=30, gt=0)
    """Time limit of one SQL statement of the API"""
    list_rows_max: int = Field(default=10_000, ge=1_000)
    """Rows that one page or count of a list looks at, and a tenth of the entries that it counts in an index. A page
    that comes to it before it is full says where to go on; a count says that there may be more"""
    lock_seconds_max: float = Field(default=10, gt=0)
    """The longest wait of such a statement for a lock"""
    silence_seconds_max: int = Field(default=10, ge=2, le=300)
    """Time after which a silent database, or a broker on PostgreSQL, counts as lost: its cable is cut, its host has no
    power. Both ends notice, also while a statement runs, and then the locks of who is gone are free"""


class Marks(Group):
    """Marks, quotes and events"""

    marker_shards: Annotated[int | None, Shown("shards", "1")] = Field(default=None, ge=1, le=64)
    """The number of shards of a new desk's accounts. An existing desk keeps its number, which
    `propdesk shards N` changes"""
    shard_lease_seconds: float = Field(default=5, ge=1, le=300)
    """Time without a heartbeat after which other workers take over a worker's shards"""
    mark_persist_seconds: int = Field(default=5, ge=0)
    """The longest delay before a busy marker writes a mark; an idle marker writes at once"""
    mark_ledger_minutes: int = Field(default=60, ge=1)
    """Interval between two `mark_to_market` rows of an account's ledger"""
    batches_request_max: int = Field(default=1_000, ge=1)
    """Batches that one `ingestQuotes` may make; 10 while more than so many wait to be judged"""
    dropped_rows_max: Annotated[int, Shown("counters")] = Field(default=1_000, ge=1)
    """The number of counters of dropped quotes; further unknown symbols share the counter `*`"""
    stored_refusals_day_max: int = Field(default=1_000, ge=1)
    """Refused actions stored per account and day; further ones are only answered and counted"""
    tick_seconds: float = Field(default=1, gt=0)
    """Interval between two polls for changes that subscribers watch"""
    # So many days by the real clock, in a replay too, is kept what grows with time; None: for ever. Ledger, breaches
    # with their evidence, days, orders, fills and money are the proof, and always stay.
    events_keep_days: int = Field(default=400, ge=1, le=KEEP_DAYS_MAX)
    """The retention of events; an older cursor is CURSOR_EXPIRED"""
    metrics_keep_days: Annotated[int | None, Shown(default="for ever")] = Field(default=None, ge=1, le=KEEP_DAYS_MAX)
    """How long metric snapshots are kept, of running challenges too; they go by whole months, so up to 31 days later"""
    quotes_keep_days: Annotated[int | None, Shown(default="for ever")] = Field(default=None, ge=1, le=KEEP_DAYS_MAX)
    """How long quotes are kept, and longer while a live account has not been marked through them; see
    [operations.md](operations.md#retention)"""


class Selling(Group):
    """Selling"""

    payment_expires_hours: int = Field(default=24, ge=1, le=8_760)
    """The payment deadline of a purchase that is paid outside the desk"""
    unpaid_purchases_max: int = Field(default=10, ge=1)
    """The most purchases of one client that may wait for payments from outside"""
    open_challenges_client_max: int = Field(default=50, ge=1)
    """Challenges of one client that may be open, with purchases that wait for payments; one more is
    TOO_MANY_CHALLENGES"""
    open_challenges_program_max: int = Field(default=20, ge=1)
    """Of those, challenges of one program"""
    reinstatement_quotes_max: int = Field(default=2_000_000, ge=1)
    """Quotes by which one run is computed again before its verdict is set aside; more is TOO_MANY_QUOTES"""
    removal_portion: Annotated[int, Shown("sales")] = Field(default=500, ge=1)
    """The number of sales that `deleteProgram` deletes in one transaction"""
    removal_seconds_max: float = Field(default=10, ge=0)
    """Time after which `deleteProgram` starts no further transaction and returns `finished: false`"""


class Tokens(Group):
    """Tokens"""

    bootstrap_secret: Text | None = Field(default=None, min_length=SECRET_MIN)
    """The secret that authorises creation of the first ADMIN token over the API, once; at least 32 characters"""
    jwt_secret: Text | None = Field(default=None, min_length=SECRET_MIN)
    """The secret shared with the issuer of JWTs; at least 32 characters"""
    jwt_jwks_url: Address | None = None
    """The URL of the public keys of JWTs (JWKS)"""
    jwt_keys_seconds_max: float = Field(default=5, gt=0)
    """Time limit for the download of those keys"""
    jwt_waiting_max: Annotated[int, Shown("bearers")] = Field(default=200, ge=1)
    """Bearers of JWTs with an unknown key that wait for those keys in one process; further ones are refused with
    BUSY"""
    jwt_audience: Text | None = Field(default=None, validate_default=True)
    """The audience that a JWT must name; production requires it if JWTs are accepted"""
    jwt_issuer: Text | None = None
    """The issuer that a JWT must name"""
    bearer_characters_max: int = Field(default=8_192, ge=256)
    """The largest length of a token or JWT"""

    @field_validator("jwt_audience")
    @classmethod
    def _is_named_in_production(cls, audience: str | None, known: ValidationInfo) -> str | None:
        takes_jwts = known.data.get("jwt_secret") or known.data.get("jwt_jwks_url")
        if takes_jwts and not audience and known.data.get("environment") == "production":
            raise ValueError("production needs the audience of its JWTs, else one made for another service opens it")
        return audience

    @field_validator("jwt_secret", "bootstrap_secret")
    @classmethod
    def _is_random(cls, secret: str | None, known: ValidationInfo) -> str | None:
        if secret and known.data.get("environment") == "production":
            guessable = any(word in secret.lower() for word in GUESSABLE)
            if guessable or len(set(secret)) < SECRET_VARIETY_MIN:
                raise ValueError("this can be guessed; make one of your own: openssl rand -base64 48")
        return secret


class FastPaths(Group):
    """Fast paths"""

    fast_marker: bool = True
    """Whether a batch of quotes marks the accounts of a shard in columns; `false`: each account is folded by itself,
    under its row lock"""
    fast_group_commit: bool = True
    """Whether actions that are submitted at the same time share a transaction; `false`: each submission has its own"""
    fast_lists: bool = True
    """Whether lists are read and answered column by column; `false`: graphql-core resolves each field of each object"""
    fast_fan_out: bool = True
    """Whether an event is rendered once for all subscribers with the same selection and scope; `false`: once for each
    subscriber"""


GROUPS: tuple[type[Group], ...] = (
    Addresses,
    EnvironmentAndLogs,
    Database,
    Marks,
    Selling,
    Tokens,
    RequestLimits,
    DocumentLimits,
    FastPaths,
)


# The last base comes first: `environment` is known before the fields whose default or check asks for it.
class Settings(
    FastPaths, DocumentLimits, RequestLimits, Tokens, Selling, Marks, Database, EnvironmentAndLogs, Addresses
):
    """All groups, joined."""

    @property
    def migration_url(self) -> str | None:
        """Return the database address for migrations."""
        return self.owner_url or self.direct_url

    @property
    def direct_url(self) -> str | None:
        """Return the database address that bypasses a pooler, for sessions that must stay with one process."""
        return self.database_direct_url or self.database_url

    @property
    def document(self) -> dict[str, int]:
        """Return the limits of a GraphQL document by name."""
        names = (
            "characters",
            "tokens",
            "fragments",
            "repeats",
            "depth",
            "aliases",
            "roots",
            "cost",
            "actions",
            "variables",
            "values",
            "errors",
            "items",
        )
        return {name: getattr(self, f"document_{name}_max") for name in names}

    @property
    def rates(self) -> dict[str, float]:
        """Return the requests per second by role, including NOBODY."""
        roles = ("admin", "manager", "client", "trader", "feed", "payments", "nobody")
        return {role.upper(): getattr(self, f"rate_{role}") for role in roles}

    @property
    def processor_shares(self) -> dict[str, float]:
        """Return the processor seconds per second by role, including NOBODY."""
        return {role: getattr(self, f"processor_share_{role.lower()}") for role in self.rates}

    @property
    def base_url(self) -> str:
        """Return the API's URL for a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        return f"http://{host}:{self.port}"

    def replace(self, **changes: Any) -> "Settings":
        """Return a copy with some fields changed; the changes are not validated."""
        return self.model_copy(update=changes)


@cache
def settings() -> Settings:
    """Return this process's settings, read once. Addresses of an embedded server are passed separately."""
    return load_settings()


def load_settings() -> Settings:
    """Read the environment. Raises Problem naming the first variable whose value cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        variable = field if field.isupper() else f"{PREFIX}{field.upper()}"
        shown = "" if field.endswith("secret") or first["input"] is None else f"={first['input']!r}"
        raise Problem(f"{variable}{shown}: {first['msg'].removeprefix('Value error, ').lower()}") from None
