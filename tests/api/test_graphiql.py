"""GraphiQL: the page, its files, its examples, and Chromium using it."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, get_named_type, parse, validate
from graphql.execution.values import get_variable_values

from app.graphiql_page import BUILT
from config.database import close_database, open_database
from resolvers.main import schema
from schema.engine.permissions import roles_of
from schema.engine.strawberry_internals import definition_of, graphql_schema
from services import sample
from services.jobs import work_queue
from services.principals import Role
from tests.api import nodes
from tests.api.clients import Api

SOURCES = Path(__file__).parents[2] / "graphiql"
OPERATIONS = SOURCES / "operations"
GRAPHQL = graphql_schema(schema)
KINDS = {"query", "mutation", "subscription"}
NAMED = {  # hosts that stand in messages, comments and names of XML; none of them is asked for anything
    "www.w3.org",
    "json-schema.org",
    "github.com",
    "code.visualstudio.com",
    "yarnpkg.com",
    "react.dev",
    "prettier.io",
    "en.wikipedia.org",
    "commonmark.org",
    "microsoft.com",
}
LOADED = re.compile(
    r"""(?:\bimport\s*\(|importScripts\s*\(|\bfrom\s*|\bimport\s*|url\s*\(|@import\s*|(?:src|href)\s*=\s*|fetch\s*\()"""
    r"""\s*["'`]?(?:https?:)?//""",
)
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
async def tokens(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The sample tokens, as `propdesk up` passes them to the API process."""
    await open_database(empty_database, pool_size=2, name="test")
    try:
        seeded = await sample.seed_sample()
    finally:
        await close_database()
    monkeypatch.setenv("PROPDESK_SAMPLE_TOKENS", json.dumps(seeded))
    return seeded


def examples() -> list[tuple[Role, str, str, dict[str, Any]]]:
    """Yield role, operation type, text and variables of each example."""
    found = []
    for path in sorted(OPERATIONS.rglob("*.graphql")):
        variables = path.with_suffix(".json")
        text = variables.read_text().replace("NOW", "2026-01-05T12:00:00Z") if variables.exists() else "{}"
        found.append((Role(path.parent.name.upper()), path.stem, path.read_text(), json.loads(text)))
    return found


def test_each_role_has_examples_that_it_may_run() -> None:
    kinds: dict[Role, set[str]] = {}
    for role, kind, text, variables in examples():
        document = parse(text)
        assert validate(GRAPHQL, document) == [], (role, kind)
        (operation,) = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        assert operation.operation.value == kind
        found = get_variable_values(GRAPHQL, operation.variable_definitions or (), variables)
        assert not isinstance(found, list), (role, kind, found)
        root = GRAPHQL.get_root_type(operation.operation)
        assert root is not None
        for field in operation.selection_set.selections:
            definition = definition_of(root.fields[field.name.value])  # type: ignore[attr-defined]
            assert role in (roles_of(definition) or ()), (role, kind)
        kinds.setdefault(role, set()).add(kind)
    assert kinds == {role: KINDS - ({"subscription"} if role is Role.FEED else set()) for role in sample.ROLES}


def test_everything_in_the_schema_is_described() -> None:
    nameless = []
    for name, kind in GRAPHQL.type_map.items():
        if name.startswith("__"):
            continue
        nameless += [] if kind.description else [name]
        for part in ("fields", "values"):
            for member, definition in getattr(kind, part, {}).items():
                nameless += [] if definition.description else [f"{name}.{member}"]
                for argument, given in getattr(definition, "args", {}).items():
                    nameless += (
                        [] if given.description else [f"{name}.{member}({argument}: {get_named_type(given.type)})"]
                    )
    assert [one for one in nameless if one not in ("String", "Int", "Boolean", "ID", "Float")] == []


def test_the_built_files_load_nothing_from_elsewhere() -> None:
    texts = {path: path.read_text() for path in BUILT.rglob("*") if path.suffix in (".js", ".css", ".html")}
    assert any("monaco" in path.name for path in texts)
    for path, text in texts.items():
        assert not LOADED.search(text), path
        hosts = set(re.findall(r"https?://([A-Za-z0-9.-]+)", text))
        assert hosts <= NAMED, path


def test_the_built_files_come_with_their_licences() -> None:
    listed = (BUILT / "licenses.md").read_text()
    assert all(f"\n## {name} - " in listed for name in ("graphiql", "react", "monaco-editor", "picomatch-browser"))
    for folder in (SOURCES, nodes.NPM):
        assert '"resolved"' not in (folder / "package-lock.json").read_text()


async def test_the_page_is_for_browsers_and_asks_nobody_else(api: Api) -> None:
    page = await api.http.get("/graphql", headers=BROWSER)
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"https?:|wss?:|\*|unsafe-eval", policy)
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        if path != "data:,":
            file = await api.http.get(path)
            assert (file.status_code, file.headers["x-content-type-options"]) == (200, "nosniff"), path
            assert "immutable" in file.headers["cache-control"]
    for path in ("/graphiql/../endpoint.py", "/graphiql/%2e%2e/endpoint.py", "/graphiql/assets/none.js", "/graphiql/"):
        missing = await api.http.get(path)
        assert missing.status_code == 404, path
        assert "immutable" not in missing.headers.get("cache-control", "")
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        assert "json" in (await api.http.get("/graphql", headers={"Accept": accept})).headers["content-type"]
    queried = await api.http.get("/graphql", params={"query": "{ __typename }"}, headers=BROWSER)
    assert queried.json()["data"] == {"__typename": "Query"}


async def test_the_first_page_says_what_this_is_and_leads_on(api: Api) -> None:
    page = await api.http.get("/", headers=BROWSER)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "A backend for prop-trading challenges" in page.text
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        answer = await api.http.get(path, headers=BROWSER)
        assert answer.status_code == (503 if path == "/readyz" else 200), path  # no worker runs


FOREIGN = [
    {"Host": "desk.example"},
    {"Host": "localhost.evil.example"},
    {"Host": "[::1"},
    {"Origin": "https://a.example"},
]


async def test_the_sample_tokens_are_for_a_browser_on_this_machine(tokens: dict[str, str], api: Api) -> None:
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000", "127.0.0.1:8000"):
        page = await api.http.get("/graphql", headers=BROWSER | {"Host": host})
        found = re.search(r'id="tokens">(.*?)</script>', page.text)
        assert found
        assert json.loads(found[1]) == tokens, host
    for headers in FOREIGN:
        page = await api.http.get("/graphql", headers=BROWSER | headers)
        assert page.headers["content-type"].startswith("text/html")
        assert not any(token in page.text for token in tokens.values()), headers


@pytest.fixture
async def working(api: Api) -> AsyncIterator[None]:
    """Run jobs while the block runs."""

    async def work() -> None:
        while True:
            await work_queue.do_jobs()
            await asyncio.sleep(0.1)

    task = asyncio.create_task(work())
    yield
    task.cancel()


async def test_chromium_runs_a_query_a_mutation_and_a_live_subscription(
    tokens: dict[str, str], api: Api, working: None, tmp_path: Path
) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    origin = str(api.http.base_url).rstrip("/")
    seen = json.loads(await nodes.run("explore.mjs", origin, chromium, str(tmp_path), needs="playwright-core"))
    assert seen["query"]["data"]["me"]["subject"] == sample.CLIENT
    bought = seen["mutation"]["data"]["buyChallenge"]
    assert bought["userErrors"] == []
    assert bought["challenge"]["id"]
    assert seen["events"][:2] == ["prop.purchase.paid", "prop.purchase.account_created"]
    assert "Forbidden" in seen["refused"]
    assert "isTrusted" not in seen["refused"]
    assert seen["complaints"] == []
    local = (f"{origin}/", origin.replace("http", "ws") + "/", "data:", "blob:" + origin)
    assert [address for address in seen["addresses"] if not address.startswith(local)] == []
    assert any(address.endswith(".js") and "worker" in address for address in seen["addresses"])
