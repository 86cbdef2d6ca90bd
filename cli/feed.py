"""`propdesk feed`: simulated quotes for a development desk, posted to its public API."""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import httpx
import typer

from cli.generator import SHAPES, GeneratedQuote, walk
from config.errors import Problem
from config.logs import configure_logging
from config.settings import load_settings
from domain.money import plain

MUTATION = """
mutation SimulatedQuotes($quotes: QuoteList!) {
  ingestQuotes(input: {quotes: $quotes}) { accepted userErrors { code message } }
}
"""
REQUEST_SECONDS_MAX = 5.0

log = logging.getLogger(__name__)


def feed(
    url: Annotated[str | None, typer.Option(envvar="PROPDESK_FEED_URL", help="The GraphQL endpoint")] = None,
    token: Annotated[str, typer.Option(envvar="PROPDESK_FEED_TOKEN", help="A FEED token")] = "",
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same prices")] = 1,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between quotes")] = 1.0,
) -> None:
    """Post SIMULATED quotes, a random walk and not a real market, until stopped."""
    settings = load_settings()
    configure_logging(settings.log_level, "feed", settings.log_format)
    if not token:
        raise Problem("the feed needs a FEED token: --token, or PROPDESK_FEED_TOKEN (propdesk token --role FEED)")
    log.info("SIMULATED QUOTES: a random walk from seed %s, no market", seed)
    with httpx.Client(
        headers={"Authorization": f"Bearer {token}"}, timeout=REQUEST_SECONDS_MAX, trust_env=False
    ) as client:
        _run(client, url or f"{settings.base_url}/graphql", seed, interval)


def _run(client: httpx.Client, url: str, seed: int, interval: float) -> None:
    """Post a round of quotes every `interval` seconds, stamped with the current time; continue after failures."""
    connected = True
    due = time.monotonic()
    for rows in walk(seed, tuple(SHAPES), datetime.now(UTC), timedelta(seconds=interval)):
        trouble = post(client, url, [row._replace(time=datetime.now(UTC)) for row in rows])
        if trouble and connected:  # log the first failure only, then retry silently
            log.warning("the quotes do not arrive (%s); trying on", trouble)
        elif not trouble and not connected:
            log.info("the quotes arrive again")
        connected = trouble is None
        due = max(due + interval, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def post(client: httpx.Client, url: str, rows: Sequence[GeneratedQuote]) -> str | None:
    """Post one round of quotes; return the error text, or None on success."""
    quotes = [
        {"symbol": row.symbol, "bid": plain(row.bid), "ask": plain(row.ask), "time": row.time.isoformat()}
        for row in rows
    ]
    try:
        response = client.post(url, json={"query": MUTATION, "variables": {"quotes": quotes}})
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    try:
        answer = response.json()
        errors = answer.get("errors") or answer["data"]["ingestQuotes"]["userErrors"]
        return "; ".join(error["message"] for error in errors) or None
    except (ValueError, LookupError, TypeError, AttributeError):  # the server is not a desk
        return f"HTTP {response.status_code}, and no GraphQL"
