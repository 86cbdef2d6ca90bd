"""Garbage is looked for little by little, and altogether once much has been kept."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
from config import gc_tuning

class Ring:
    def __init__(self):
        self.self = self

def old(many):
    "Rings that outlive the looks at the young."
    rings = [Ring() for _ in range(many)]
    gc.collect(1)
    assert gc.get_count()[2] >= gc_tuning.OLD_WHEN_IDLE
    return rings

gc_tuning.settle()
gone, kept = old(10), old(10)
seen = [weakref.ref(rings[0]) for rings in (gone, kept)]
del gone
gc_tuning.tidy()
assert seen[0]() is None, "old garbage is found"
assert seen[1]() is kept[0]
del kept
old(10)
gc_tuning.tidy()
assert seen[1]() is not None, "what was kept is not looked at again"
gc_tuning.KEPT_MAX = 0
old(10)
gc_tuning.tidy()
assert seen[1]() is None, "until there is much of it"
"""


def test_what_outlives_an_idle_moment_is_looked_at_again_once_there_is_much_of_it() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)
