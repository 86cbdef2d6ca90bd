"""The numbers of PostgreSQL's advisory locks, in one place so that no two purposes share one."""

from enum import IntEnum, unique


@unique
class AdvisoryLock(IntEnum):
    """A lock's number, or its class: the first of the two numbers of a lock that a session holds."""

    INGEST = 7_701  # numbering batches
    STAMP = 7_702  # giving positions to events
    RETENTION = 7_703  # deleting what is no longer kept
    BOOTSTRAP = 7_704  # creating the first ADMIN token
    TRADING = 7_705  # shared by transactions that may trade; exclusive for one that retires or changes an instrument
    WORKER = 7_706  # class: a worker is present; the second number is the worker's
    SHARD = 7_707  # class: a shard has an owner; the second number is the shard's
    DESK = 7_708  # held by `propdesk up` while it runs
