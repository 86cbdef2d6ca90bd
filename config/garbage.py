"""How often Python looks for garbage that refers to itself."""

import gc

OBJECTS = 50_000  # made and not gone again, before it looks; Python's own 700 make it look after every few actions


def settle() -> None:
    """What is loaded stays for good: do not look at it any more, and less often at what comes after it.

    A process that serves calls it once, when all is loaded: a look at the whole of it stops everything else for as
    long as dozens of actions take, and took a fifth of the processor's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, 20, 20)
