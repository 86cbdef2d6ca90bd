"""The units of systemd, as systemd itself reads and judges them."""

import re
import shutil
from pathlib import Path

import pytest

from tests.deploy.programs import DEPLOY, program, run

UNITS = sorted(path.name for path in (DEPLOY / "systemd").iterdir())
SERVICES = [name for name in UNITS if name.endswith(".service")]
EXPOSURE_MAX = 1.5  # of 10, as `systemd-analyze security` counts
INSTANCE = "9000"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that this machine has in the place of ours; of each template an instance."""
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/propdesk/current/bin/propdesk", shutil.which("true") or ""))
    return tmp_path


def _instance(name: str) -> str:
    return name.replace("@.", f"@{INSTANCE}.")


def test_systemd_accepts_every_unit(units: Path) -> None:
    said = run(program("systemd-analyze"), "verify", "--man=no", *(units / _instance(name) for name in UNITS))
    assert not [line for line in said.splitlines() if "propdesk" in line]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_little_more_than_its_work(name: str, units: Path) -> None:
    instance = units / _instance(name)
    if not instance.exists():
        shutil.copy(units / name, instance)
    threshold = f"--threshold={EXPOSURE_MAX * 10:.0f}"
    said = run(program("systemd-analyze"), "security", "--offline=true", "--no-pager", threshold, instance)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert exposure, said
    assert float(exposure[1]) <= EXPOSURE_MAX


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_equally_hard(name: str) -> None:
    def hardening(unit: str) -> str:
        text = (DEPLOY / "systemd" / unit).read_text()
        return text[text.index("StateDirectory=") :].partition("\n[Install]")[0].strip()

    assert hardening(name) == hardening(SERVICES[0])


@pytest.mark.parametrize("name", [name for name in SERVICES if "@" in name])
def test_a_process_is_started_again_however_long_the_database_is_away(name: str) -> None:
    text = (DEPLOY / "systemd" / name).read_text()
    assert "\nRestart=always\n" in text
    assert "\nStartLimitIntervalSec=0\n" in text
