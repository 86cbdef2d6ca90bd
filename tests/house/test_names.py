"""Names: a public name is unique within its storey and used somewhere; modules do not import each other in circles."""

import ast
import re
from collections import Counter, defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.house.sources import PACKAGES, ROOT, Source, sources

STOREYS = [package for package in PACKAGES if package != "migrations"]
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _public(source: Source) -> list[str]:
    return [node.name for node in source.tree.body if isinstance(node, DEFINITIONS) and not node.name.startswith("_")]


@pytest.mark.parametrize("storey", STOREYS)
def test_no_two_public_classes_or_functions_of_a_storey_have_one_name(storey: str) -> None:
    places = defaultdict(list)
    for source in sources(storey):
        for name in _public(source):
            places[name].append(str(source.path))
    assert not {name: paths for name, paths in places.items() if len(paths) > 1}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions and for types alone do not count: they run later, or never."""
    modules = {".".join(source.path.with_suffix("").parts).removesuffix(".__init__") for source in sources(*PACKAGES)}
    graph = {
        ".".join(source.path.with_suffix("").parts).removesuffix(".__init__"): _imported_at_once(source, modules)
        for source in sources(*PACKAGES)
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_every_public_name_is_used() -> None:
    """Outside its definition: in code, or in a decorator's hands."""
    words = Counter(
        word
        for path in (*(ROOT / "examples").rglob("*.py"), *(source.path for source in sources(*PACKAGES, "tests")))
        for word in set(re.findall(r"[A-Za-z_]\w*", (ROOT / path).read_text()))
    )
    dead = [
        f"{source.path}: {node.name}"
        for source in sources(*STOREYS)
        for node in source.tree.body
        if isinstance(node, DEFINITIONS) and not node.name.startswith("_") and not node.decorator_list
        if words[node.name] < 2 and source.text.count(node.name) < 2
    ]
    assert not dead


def _imported_at_once(source: Source, modules: set[str]) -> set[str]:
    """The modules of ours that loading this one loads: imports at its top, outside `if TYPE_CHECKING`."""
    names = set()
    for node in source.tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {target if target in modules else str(node.module) for target in targets}
    own = ".".join(source.path.with_suffix("").parts).removesuffix(".__init__")
    return {name for name in names if name in modules and name != own}
