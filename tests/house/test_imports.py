"""The import law: dependencies run one way, down the storeys, and the lowest is pure."""

import ast
import sys
from importlib.metadata import distributions

import pytest

from tests.house.sources import PACKAGES, Source, sources

MAY_IMPORT = {
    "domain": set(),
    "config": set(),
    "migrations": set(),
    "models": {"domain"},
    "services": {"models", "domain", "config"},
    "schema": {"services", "domain"},
    "resolvers": {"schema", "services", "domain"},
    "app": {"resolvers", "schema", "services", "domain", "config"},
    "workers": {"services", "domain", "config"},
    "cli": set(PACKAGES) - {"tools"},
    "tools": set(PACKAGES),
}
IMPURE_MODULES = {"asyncio", "random", "secrets", "socket", "subprocess", "threading", "time", "urllib"}
IMPURE_CALLS = {
    "open",
    "print",
    "input",
    "uuid4",
    "uuid.uuid4",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "datetime.datetime.now",
    "datetime.date.today",
}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_storey_imports_only_what_stands_below_it(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    broken = [
        f"{source.path} imports {name}"
        for source in sources(package)
        for name in source.imported()
        if (top := name.split(".")[0]) in PACKAGES and top not in allowed
    ]
    assert not broken


def test_the_domain_stands_on_the_standard_library_its_columns_on_numpy_and_its_ledger_on_orjson() -> None:
    broken = [
        f"{source.path} imports {name}"
        for source in sources("domain")
        for name in source.imported()
        if not _is_allowed_in_domain(source, name.split(".")[0])
    ]
    assert not broken


def test_the_domain_awaits_nothing_and_asks_neither_clock_nor_chance_nor_disk() -> None:
    broken = [
        f"{source.path} calls {call}"
        for source in sources("domain")
        for call in source.called()
        if call in IMPURE_CALLS
    ]
    broken += [f"{source.path} is asynchronous" for source in sources("domain") if _is_asynchronous(source)]
    assert not broken


def test_no_installed_distribution_ships_a_package_of_our_names() -> None:
    ours = {*PACKAGES, "tests"}
    taken = {
        f"{distribution.name}: {file}"
        for distribution in distributions()
        if distribution.name != "propdesk"
        for file in distribution.files or ()
        if file.parts[0].removesuffix(".py") in ours
    }
    assert not taken


def _is_allowed_in_domain(source: Source, top: str) -> bool:
    if top == "numpy":
        return source.path.parent.name == "columnar" or source.path.name == "arithmetic.py"
    if top == "orjson":
        return source.path.name == "ledger.py"
    return top == "domain" or (top in sys.stdlib_module_names and top not in IMPURE_MODULES)


def _is_asynchronous(source: Source) -> bool:
    asynchronous = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    return any(isinstance(node, asynchronous) for node in ast.walk(source.tree))
