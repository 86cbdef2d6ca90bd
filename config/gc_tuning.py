"""Settings of Python's cyclic garbage collector.

A collection takes up to two microseconds an object and stops everything else, and a response of many rows may keep all
objects made since the last collection alive. So collections are small and frequent.
"""

import gc

# New objects before the young generation is collected, which takes 5 to 10 ms. Python's default of 700 collects after
# every few actions.
OBJECTS = 5_000
MIDDLE = 5  # collections of the young generation before one of the middle generation
OLD = 200  # collections of the middle generation before a full one, however busy the process is
OLD_WHEN_IDLE = 1  # the same in an idle process
KEPT_MAX = 200_000  # objects frozen while idle before they are collected again: some are garbage by then

_kept = 0  # number of frozen objects after the last full collection


def settle() -> None:
    """Freeze every object loaded at start (gc.freeze) and collect less often afterwards.

    A serving process calls it once, after loading. A full collection of these objects would stop everything else for
    as long as dozens of actions take; it used a fifth of the processor's time.
    """
    global _kept
    gc.collect()
    gc.freeze()
    _kept = gc.get_freeze_count()
    gc.set_threshold(OBJECTS, MIDDLE, OLD)


def tidy() -> None:
    """Collect now, while the process is idle, if the oldest generation may hold garbage.

    The surviving objects are frozen, so that the next collection is short, until KEPT_MAX of them have been frozen.
    """
    global _kept
    if gc.get_count()[2] < OLD_WHEN_IDLE:
        return
    is_much = gc.get_freeze_count() > _kept + KEPT_MAX
    if is_much:
        gc.unfreeze()
    gc.collect()
    gc.freeze()
    if is_much:
        _kept = gc.get_freeze_count()
