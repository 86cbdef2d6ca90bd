"""How often Python looks for garbage that refers to itself.

A look at an object takes up to two microseconds, and stops everything else: an answer of many rows may keep all that
was made since the look before. So looks are small and frequent; what they look at altogether is the same.
"""

import gc

# Objects that were made, and are not gone again, before the youngest are looked at: 5 to 10 ms. Python's own 700 make
# it look after every few actions.
OBJECTS = 5_000
MIDDLE = 5  # looks at the youngest before those that outlived one are looked at, too
OLD = 200  # of these before all are looked at, however busy the process is
OLD_WHEN_IDLE = 1  # the same, where it is idle
KEPT_MAX = 200_000  # objects that outlived an idle moment, before these are looked at, too: some are garbage by then

_kept = 0  # objects that are not looked at, as of the last look at all of them


def settle() -> None:
    """What is loaded stays for good: do not look at it any more, and at all that comes after it seldom.

    A process that serves calls it once, when all is loaded: a look at the whole of it stops everything else for as
    long as dozens of actions take, and took a fifth of the processor's time.
    """
    global _kept
    gc.collect()
    gc.freeze()
    _kept = gc.get_freeze_count()
    gc.set_threshold(OBJECTS, MIDDLE, OLD)


def tidy() -> None:
    """Look now at what was made since the last time, if some garbage may have grown old: nobody waits for the process.

    What outlives it is not looked at again, as that takes as long each time, until there is much of it.
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
