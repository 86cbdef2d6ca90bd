"""The pages of docs/how-to are true: their patches apply, and what they promise works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.house.sources import ROOT

COPIED = ("domain", "tests")


def test_a_rule_is_added_as_its_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "add-a-rule.md").read_text()
    for name in COPIED:
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "npm")
        )
    patches = re.findall(r"```diff\n(.+?)```", page, re.DOTALL)
    assert len(patches) >= 4
    for patch in patches:
        command = ["git", "apply", "--unsafe-paths", "--unidiff-zero", "--recount", f"--directory={tmp_path}", "-"]
        subprocess.run(command, input=patch, text=True, check=True, cwd=tmp_path)
    (script,) = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
