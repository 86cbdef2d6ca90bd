"""The numbers of PostgreSQL's advisory locks: one place, so that no two purposes share one."""

from enum import IntEnum, unique


@unique
class AdvisoryLock(IntEnum):
    """What each lock serialises. A class is the first of two numbers of a lock that a session holds."""

    INGEST = 7_701  # the numbering of batches
    STAMP = 7_702  # the positions of events
    RETENTION = 7_703  # forgetting, one transaction at a time
    BOOTSTRAP = 7_704  # making the first ADMIN token
    TRADING = 7_705  # shared by what may trade; whoever takes something out of the catalogue has it alone
    WORKER = 7_706  # class: a worker that is present; the second number is the worker's
    SHARD = 7_707  # class: who owns a shard; the second number is the shard's
    DESK = 7_708  # of `propdesk up`, for as long as it runs
