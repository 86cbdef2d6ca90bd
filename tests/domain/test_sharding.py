"""Shards are distributed evenly among workers, and as few as possible move when a worker joins or leaves."""

from hypothesis import given
from hypothesis import strategies as st

from domain.sharding import SHARDS_MAX, quotas

Owned = dict[int, int | None]
"""By shard the worker that owns it."""


def shared(owned: Owned, workers: set[int]) -> tuple[Owned, int]:
    """Let each worker keep to its quota, as workers do: first they give up, then they take. Returns the moves, too."""
    counts = {worker: list(owned.values()).count(worker) for worker in workers}
    quota = quotas(counts, len(owned))
    after: Owned = {shard: owner if owner in workers else None for shard, owner in owned.items()}
    moved = 0
    for worker in workers:
        for shard in sorted(shard for shard, owner in after.items() if owner == worker)[quota[worker] :]:
            after[shard] = None
            moved += 1
    for worker in workers:
        for shard in [shard for shard, owner in after.items() if owner is None]:
            if list(after.values()).count(worker) < quota[worker]:
                after[shard] = worker
    return after, moved


@given(st.dictionaries(st.integers(0, 999), st.integers(0, SHARDS_MAX), max_size=20), st.integers(1, SHARDS_MAX))
def test_quotas_add_up_and_differ_by_at_most_one(owned: dict[int, int], shards: int) -> None:
    quota = quotas(owned, shards)
    assert quota.keys() == owned.keys()
    if quota:
        assert sum(quota.values()) == shards
        assert max(quota.values()) - min(quota.values()) <= 1
        assert max(quota.values()) == -(-shards // len(quota))


@given(st.integers(1, SHARDS_MAX), st.lists(st.sets(st.integers(0, 12), min_size=1, max_size=8), max_size=12))
def test_whoever_comes_and_goes_the_shards_are_shared_evenly_after_one_round(
    shards: int, presences: list[set[int]]
) -> None:
    owned: Owned = dict.fromkeys(range(shards))
    for workers in presences:
        before = owned
        owned, moved = shared(owned, workers)
        counts = [list(owned.values()).count(worker) for worker in workers]
        assert sum(counts) == shards, "each shard has an owner"
        assert max(counts) <= -(-shards // len(workers))
        assert max(counts) - min(counts) <= 1
        need = sum(max(0, list(before.values()).count(worker) - -(-shards // len(workers))) for worker in workers)
        newcomers = sum(worker not in before.values() for worker in workers)
        assert need <= moved <= need + newcomers * -(-shards // len(workers))
        assert shared(owned, workers) == (owned, 0), "and none moves any more"


def test_a_worker_that_comes_takes_one_from_whoever_owns_most() -> None:
    assert quotas({0: 2, 1: 2, 2: 0}, 4) == {0: 2, 1: 1, 2: 1}
    assert quotas({5: 1, 0: 0}, 1) == {5: 1, 0: 0}
    assert quotas({}, 4) == {}
