"""docs/errors.md: every code there is, and none that is not."""

import ast
import re
from pathlib import Path

import pytest
from strawberry.subscriptions.protocols.graphql_transport_ws import handlers

from config.errors import Problem
from domain.errors import REGISTRY
from schema.engine.errors import ApiError
from tests.house.sources import ROOT, sources
from tools.export_errors import CLOSES, STATUSES, errors_text, export_errors, of_actions, top_level

DOCUMENT = ROOT / "docs" / "errors.md"


def test_the_document_is_in_step_with_the_code() -> None:
    assert DOCUMENT.read_text() == errors_text(), "run: propdesk export-errors"


def test_it_names_every_code_of_a_refusal() -> None:
    for code in (*REGISTRY, *(kind.code for kind in ApiError.__subclasses__()), *of_actions()):
        assert f"| {code} |" in DOCUMENT.read_text() or code == "INVALID_PROGRAM", code
    assert {"INTERNAL", "UNAUTHENTICATED"} <= top_level().keys()


def test_every_refusal_of_an_action_is_among_those_it_reads() -> None:
    calls = [
        node
        for source in sources("domain", "services")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("RefusalReason", "GateRefused", "Refusal")
    ]
    codes = {node.args[0].value for node in calls if node.args and isinstance(node.args[0], ast.Constant)}
    assert codes == of_actions().keys()
    assert all(ast.unparse(node.func) == "RefusalReason" for node in calls if isinstance(node.args[0], ast.Constant))


def test_every_status_and_close_code_of_the_server_is_explained() -> None:
    text = "".join(source.text for source in sources("app")) + Path(handlers.__file__).read_text()
    closes = {int(code) for code in re.findall(r"\b(44\d\d)\b", text)}
    assert closes <= CLOSES.keys()
    statuses = {int(code) for code in re.findall(r"(?:, |Refusal\()(4\d\d|5\d\d)\b", text)}
    assert {status for status in statuses if status != 503} <= STATUSES.keys()


def test_the_command_writes_it_and_says_when_it_is_out_of_step(tmp_path: Path) -> None:
    path = tmp_path / "errors.md"
    with pytest.raises(Problem, match="run: propdesk export-errors"):
        export_errors(path, check=True)
    export_errors(path)
    export_errors(path, check=True)
    assert path.read_text() == errors_text()
