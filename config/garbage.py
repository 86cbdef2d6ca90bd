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
OLD_WHEN_IDLE = 8  # the same, where it is idle


def settle() -> None:
    """What is loaded stays for good: do not look at it any more, and at all that comes after it seldom.

    A process that serves calls it once, when all is loaded: a look at the whole of it stops everything else for as
    long as dozens of actions take, and took a fifth of the processor's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, MIDDLE, OLD)


def tidy() -> None:
    """Look at all objects now, if some garbage may have grown old: a process that is idle keeps nobody waiting."""
    if gc.get_count()[2] >= OLD_WHEN_IDLE:
        gc.collect()
