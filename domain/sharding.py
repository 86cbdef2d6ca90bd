"""The distribution of shards among workers: even, and with as few moves as possible."""

from collections.abc import Mapping

SHARDS_MAX = 64


def quotas(owned: Mapping[int, int], shards: int) -> dict[int, int]:
    """Return how many shards each worker is to own, by the worker's number; `owned` says how many each owns now.

    The quotas add up to `shards` and differ by at most one. The larger ones go to the workers that own most, so that
    no shard moves without need.
    """
    if not owned:
        return {}
    each, left_over = divmod(shards, len(owned))
    ranked = sorted(owned, key=lambda worker: (-owned[worker], worker))
    return {worker: each + (place < left_over) for place, worker in enumerate(ranked)}
