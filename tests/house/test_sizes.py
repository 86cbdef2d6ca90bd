"""Nothing outgrows the screen."""

import ast

from tests.house.sources import PACKAGES, sources

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {source.path: len(source.text.splitlines()) for source in sources(*PACKAGES, "tests")}
    assert not {str(path): length for path, length in lengths.items() if length > FILE_LINES_MAX}


def test_no_function_is_longer_than_60_lines() -> None:
    too_long = [
        f"{source.path}:{node.lineno} {node.name}"
        for source in sources(*PACKAGES, "tests")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert not too_long
