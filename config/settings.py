"""What an operator may set, read from the environment once per process."""

import os
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, Json, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from config.errors import Problem

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


class Settings(BaseSettings):
    """Each field is the environment variable PROPDESK_<FIELD>; the addresses of databases go by their usual names."""

    model_config = SettingsConfigDict(
        env_prefix="PROPDESK_", env_ignore_empty=True, frozen=True, populate_by_name=True, extra="ignore"
    )

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")  # None: embedded PostgreSQL
    # Of migrations alone, where the services log in as a lesser role; None: database_url.
    owner_url: str | None = Field(default=None, validation_alias="OWNER_DATABASE_URL")
    broker_url: str | None = Field(default=None, validation_alias="BROKER_URL")  # None: the database itself
    data_dir: Path = Field(default_factory=default_data_dir)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    environment: Environment = "development"
    sample_tokens: Json[dict[str, str]] = Field(
        default_factory=dict, validate_default=False
    )  # by role; `up` hands them to the page
    sample_data: bool = Field(default_factory=lambda known: known.get("environment") == "development")
    pool_size: int = Field(default=10, ge=2, le=500)  # connections of one process
    pool_share_bearer: float = Field(default=0.4, gt=0, le=1)  # of these, that the API uses for one bearer at once
    pool_share_brand: float = Field(default=0.7, gt=0, le=1)  # the same, for all bearers of one brand
    queue_bearer_max: int = Field(default=500, ge=1)  # reads and transactions of one bearer that wait for a connection
    queue_seconds_max: float = Field(default=10, gt=0)  # that each of them waits
    marker_shards: int = Field(default=1, ge=1, le=64)
    mark_persist_seconds: int = Field(default=5, ge=0)
    mark_ledger_minutes: int = Field(default=60, ge=1)
    payment_expires_hours: int = Field(default=24, ge=1, le=8_760)  # of a purchase that is paid outside
    unpaid_purchases_max: int = Field(default=10, ge=1)  # of one client, waiting for payments from outside
    # Of one client, open or waiting for payments from outside.
    open_challenges_client_max: int = Field(default=50, ge=1)
    open_challenges_program_max: int = Field(default=20, ge=1)  # of those, of one program
    removal_portion: int = Field(default=500, ge=1)  # sales that deleting a program takes in one transaction
    reinstatement_quotes_max: int = Field(default=2_000_000, ge=1)  # by which one run is computed again
    removal_seconds_max: float = Field(default=10, ge=0)  # of one request that deletes; asked again it goes on
    # So many days by the real clock, in a replay too, is kept what grows with time; None: for ever. Ledger, breaches
    # with their evidence, days, orders, fills and money are the proof, and always stay.
    events_keep_days: int = Field(default=400, ge=1, le=KEEP_DAYS_MAX)  # an older cursor is CURSOR_EXPIRED
    # The curves of challenges, of running ones too. They go by whole months, so up to 31 days later.
    metrics_keep_days: int | None = Field(default=None, ge=1, le=KEEP_DAYS_MAX)
    # Longer while a live account has not been marked through them; the last quote of each symbol stays.
    quotes_keep_days: int | None = Field(default=None, ge=1, le=KEEP_DAYS_MAX)
    tick_seconds: float = Field(default=1, gt=0)  # between looks at what those who follow ticks have asked for
    jwt_secret: str | None = Field(default=None, min_length=SECRET_MIN)  # of whoever signs JWTs; or the keys' address
    bootstrap_secret: str | None = Field(default=None, min_length=SECRET_MIN)  # makes the first ADMIN, over the API
    jwt_jwks_url: str | None = None
    jwt_keys_seconds_max: float = Field(default=5, gt=0)  # in which that address has to answer
    jwt_waiting_max: int = Field(default=200, ge=1)  # bearers that wait for it, of one process; others are refused
    jwt_audience: str | None = Field(default=None, validate_default=True)  # in production needed wherever JWTs are
    jwt_issuer: str | None = None
    connections_max: int = Field(default=10_000, ge=10)  # of one process; at most 0.8 of the files it may open
    strangers_address_max: int = Field(default=1_000, ge=1)  # connections of an address before they show a token
    sockets_bearer_max: int = Field(default=6_000, ge=1)  # websockets of one token in one process
    head_seconds_max: float = Field(default=10, gt=0)  # in which the head of a request has to come
    tls_terminated: bool = False  # something before the desk speaks TLS; production beyond loopback wants it said
    bearer_characters_max: int = Field(default=8_192, ge=256)  # of a token or JWT
    # Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto count, parted by commas.
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    body_bytes_max: int = Field(default=1 << 20, ge=1 << 10)  # of an HTTP request
    body_values_max: int = Field(default=50_000, ge=10_000)  # commas, lists and objects of its JSON
    body_seconds_max: float = Field(default=30, gt=0)  # in which it has to come
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()  # foreign pages that may ask, parted by commas; or *
    trusted_documents: Path | None = None  # a folder of .graphql files, or a JSON object of sha256: document
    only_trusted_documents: bool = False
    persisted_documents_max: int = Field(default=1_000, ge=0)  # remembered of what clients send with its hash
    statement_seconds_max: float = Field(default=30, gt=0)  # of one SQL statement of the API
    list_rows_max: int = Field(default=10_000, ge=1_000)  # that one page or count of a list looks at
    lock_seconds_max: float = Field(default=10, gt=0)  # that such a statement waits for a lock
    dropped_rows_max: int = Field(default=1_000, ge=1)  # counters of dropped quotes; further symbols share one
    batches_request_max: int = Field(default=1_000, ge=1)  # that one request of quotes may make
    stored_refusals_day_max: int = Field(default=1_000, ge=1)  # of one account; further ones are answered only
    task_failures_max: int = Field(default=10, ge=1)  # in a row, of an endless task; then its process ends
    rate_admin: float = Field(default=200, gt=0)  # requests a second of one bearer, in one process
    rate_manager: float = Field(default=100, gt=0)
    rate_client: float = Field(default=20, gt=0)
    rate_trader: float = Field(default=100, gt=0)
    rate_feed: float = Field(default=200, gt=0)
    rate_payments: float = Field(default=50, gt=0)
    rate_nobody: float = Field(default=10, gt=0)  # of one address without a token
    rate_burst_seconds: float = Field(default=10, gt=0)  # for so long an idle bearer may ask as it likes
    # Processor seconds a second that one bearer's requests may cost a process; a burst is as above.
    processor_share_admin: float = Field(default=1, gt=0)
    processor_share_manager: float = Field(default=1, gt=0)
    processor_share_client: float = Field(default=0.5, gt=0)
    processor_share_trader: float = Field(default=1, gt=0)
    processor_share_feed: float = Field(default=1, gt=0)
    processor_share_payments: float = Field(default=0.2, gt=0)
    processor_share_nobody: float = Field(default=0.05, gt=0)  # of one address without a token
    document_seconds_max: float = Field(default=20, gt=0)  # in which all fields of a document are to be answered
    # Bytes of answers that are computed, or wait for their clients to read them; of one bearer, and of a process.
    flight_bearer_bytes_max: int = Field(default=32 << 20, ge=1 << 20)
    flight_bytes_max: int = Field(default=128 << 20, ge=2 << 20)
    document_characters_max: int = Field(default=20_000, ge=2_000)  # of a GraphQL document, and so on below
    stranger_characters_max: int = Field(default=4_000, ge=2_000)  # the same, of one that comes without a token
    document_tokens_max: int = Field(default=5_000, ge=100)
    document_fragments_max: int = Field(default=100, ge=5)
    document_repeats_max: int = Field(default=30, ge=2)  # of one name, over all levels
    document_depth_max: int = Field(default=20, ge=5)
    document_aliases_max: int = Field(default=100, ge=0)
    document_roots_max: int = Field(default=25, ge=1)
    document_cost_max: int = Field(default=200_000, ge=1_000)  # fields answered if every page were full
    document_actions_max: int = Field(default=1_000, ge=250)  # decision actions proposed by all its fields
    document_variables_max: int = Field(default=250_000, ge=1_000)  # characters of those it uses again, times the uses
    document_values_max: int = Field(default=15_000, ge=5_000)  # in all its variables, quotes apart
    document_items_max: int = Field(default=250, ge=20)  # objects in one list of its variables
    document_errors_max: int = Field(default=1_000, ge=10)  # beside its data
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = Field(
        default_factory=lambda known: "json" if known.get("environment") == "production" else "text"
    )
    metrics: bool = Field(default_factory=lambda known: known.get("environment") == "development")  # at the API's port
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65535)  # where a worker answers its own

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

    @property
    def migration_url(self) -> str | None:
        """The address at which the schema is changed."""
        return self.owner_url or self.database_url

    @property
    def document(self) -> dict[str, int]:
        """The most a document may have of each."""
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
        """Requests a second, by role, and NOBODY's."""
        roles = ("admin", "manager", "client", "trader", "feed", "payments", "nobody")
        return {role.upper(): getattr(self, f"rate_{role}") for role in roles}

    @property
    def processor_shares(self) -> dict[str, float]:
        """Processor seconds a second, by role, and NOBODY's."""
        return {role: getattr(self, f"processor_share_{role.lower()}") for role in self.rates}

    @property
    def base_url(self) -> str:
        """Where a browser on this machine finds the API."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        return f"http://{host}:{self.port}"

    def replace(self, **changes: Any) -> "Settings":
        """The same settings with some fields changed; the changes are not validated again."""
        return self.model_copy(update=changes)


@cache
def settings() -> Settings:
    """This process's settings, read once. The addresses of an embedded server are not in it; they are handed on."""
    return load_settings()


def load_settings() -> Settings:
    """Read the environment. Raises Problem naming the first variable whose value cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        variable = field if field.isupper() else f"PROPDESK_{field.upper()}"
        shown = "" if field.endswith("secret") or first["input"] is None else f"={first['input']!r}"
        raise Problem(f"{variable}{shown}: {first['msg'].removeprefix('Value error, ').lower()}") from None
