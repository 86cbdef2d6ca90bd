"""Failovers under load: the primary is killed with signal 9, its synchronous standby promoted, again and again.

    python -m tests.cluster.failover 20

Afterwards nothing acknowledged is lost or done twice (the journal outside the desk says what was acknowledged), the
books hold, every subscriber has had every event once over one connection, and each process has logged one line for each
failover and one for each return. The gap is printed: from the end of the promotion to the first mutation that each API
process acknowledges.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from config.database import migrate
from tests.cluster.comparison import compare, newest_event
from tests.cluster.desk import Desk, propdesk, running, until
from tests.cluster.journal import Journal, Request
from tests.cluster.load import Load, Settings, working
from tests.cluster.postgres import OWNER, Cluster

GAP_SECONDS_MAX = 2.0
CALM_SECONDS = (1.0, 3.0)  # of load between two failovers
DECISION_SECONDS = (0.0, 2.0)  # until whoever promotes is sure that the primary is dead
PROBE_SECONDS = 0.02
WAIT_SECONDS_MAX = 60.0
AWAY, BACK, MOVED = "the database is away", "the database is back", "the database is another server by now"
LOST = "the session that held the locks has ended"  # of a worker whose shards others may take
LOST = "the session that held the locks has ended"  # of a worker whose shards others may take
DEPOSIT = """mutation ($input: DepositToWalletInput!) { depositToWallet(input: $input) {
  wallet { id } userErrors { code } } }"""


@dataclass(slots=True)
class Probe:
    """Sends small mutations to one API process, each again and again until it is acknowledged; notes when that was."""

    url: str
    token: str
    client: str
    journal: Journal
    acknowledged: list[tuple[float, float]] = field(default_factory=list)  # sent and answered, monotonic
    refusal_seconds: float = 0.0  # the longest that a caller waited for UNAVAILABLE
    doubts: int = 0  # refusals that leave open whether it was done

    async def run(self, http: httpx.AsyncClient) -> None:
        while True:
            content = {"client": self.client, "currency": "USD", "amount": "1"}
            request = self.journal.send("manager", "depositToWallet", content)
            while not await self._attempt(http, request, content):
                await asyncio.sleep(PROBE_SECONDS)
            await asyncio.sleep(PROBE_SECONDS)

    async def _attempt(self, http: httpx.AsyncClient, request: Request, content: dict[str, str]) -> bool:
        body = {"query": DEPOSIT, "variables": {"input": content | {"idempotencyKey": request.id}}}
        sent = time.monotonic()
        answer = await http.post(self.url, json=body, headers={"Authorization": f"Bearer {self.token}"})
        now, said = time.monotonic(), answer.json()
        if "errors" not in said:
            self.acknowledged.append((sent, now))
            self.journal.done(request, said["data"]["depositToWallet"])
            return True
        [error] = said["errors"]
        assert (answer.status_code, error["extensions"]["code"]) == (503, "UNAVAILABLE"), said
        self.journal.doubt(request, error["message"])
        self.refusal_seconds = max(self.refusal_seconds, now - sent)
        self.doubts += error["extensions"]["inDoubt"]
        return False

    def gap(self, since: float) -> float | None:
        """Seconds from then to the first acknowledgement of what was sent after it; None while there is none."""
        return next((answered - since for sent, answered in self.acknowledged if sent >= since), None)


@dataclass(frozen=True, slots=True)
class Failover:
    """One of them, in seconds."""

    promotion: float
    gaps: tuple[float, ...]  # of each API process, beyond the promotion


async def fail_over(cluster: Cluster, probes: Sequence[Probe], chance: Random) -> Failover:
    """Kill the primary, promote the standby, wait for every API process, and give the new primary a standby."""
    await asyncio.sleep(chance.uniform(*CALM_SECONDS))
    old, [standby] = cluster.primary, cluster.standbys
    await asyncio.to_thread(old.kill)
    await asyncio.sleep(chance.uniform(*DECISION_SECONDS))
    seconds = await asyncio.to_thread(cluster.promote, standby)
    promoted = time.monotonic()
    await until(
        lambda: all(probe.gap(promoted) is not None for probe in probes),
        WAIT_SECONDS_MAX,
        lambda: f"an acknowledged mutation after the promotion: {[probe.gap(promoted) for probe in probes]}",
    )
    await asyncio.to_thread(cluster.rebuild, old)
    return Failover(seconds, tuple(gap for probe in probes if (gap := probe.gap(promoted)) is not None))


async def campaign(cluster: Cluster, folder: Path, many: int, seed: int) -> tuple[list[Failover], list[str]]:
    """Run so many failovers; return them, and what went wrong, a line each."""
    desk, chance = Desk(folder, cluster.url(), apis=2, workers=2), Random(seed)
    done: list[Failover] = []
    with Journal(folder / "journal") as journal:
        async with running(desk), working(desk, journal, Settings(seed=seed)) as load:
            await load.one_of_each()
            work = asyncio.create_task(load.run())
            async with httpx.AsyncClient(trust_env=False, timeout=WAIT_SECONDS_MAX) as http:
                token, client = load.firm["manager"].token, load.firm.clients[0]
                probes = [Probe(url, token, client, journal) for url in desk.urls]
                probing = [asyncio.create_task(probe.run(http)) for probe in probes]
                for number in range(1, many + 1):
                    done.append(await fail_over(cluster, probes, chance))
                    gaps = ", ".join(f"{gap:.2f}" for gap in done[-1].gaps)
                    print(f"failover {number}: promoted in {done[-1].promotion:.2f} s, gaps {gaps} s", flush=True)
                for task in probing:
                    task.cancel()
                ends = await asyncio.gather(*probing, return_exceptions=True)
            load.stop()
            await work
            await load.settled()
            await load.all_events_came(newest_event(cluster.primary.url(OWNER)))
            waited = max(probe.refusal_seconds for probe in probes)
            print(f"a caller waited {waited:.2f} s at most to be refused", flush=True)
            print(f"{sum(load.verbs.values())} verbs, {len(load.journal.requests)} requests", flush=True)
            wrong = _of_sockets(load) + [repr(end) for end in ends if not isinstance(end, asyncio.CancelledError)]
        wrong += [str(finding) for finding in compare(cluster.primary.url(OWNER), journal)]
    status, said = await propdesk("verify", env=desk.apis[0].environment)
    print(said.splitlines()[-1], flush=True)
    return done, wrong + _of_logs(desk, many) + ([said] if status else [])


def _of_sockets(load: Load) -> list[str]:
    """Websockets that did not stay open, and what no subscriber should see."""
    return [f"{one.name}: closed {one.closes}, {one.faults}" for one in load.subscribers if one.closes or one.faults]


def _of_logs(desk: Desk, many: int) -> list[str]:
    """Processes that did not log each failover once (or twice: away, and back), and whatever they logged besides."""
    wrong = []
    for member in desk.members:
        lines = [line for line in member.log.read_text(errors="replace").splitlines() if '"level": "INFO"' not in line]
        away, back, moved = (sum(words in line for line in lines) for words in (AWAY, BACK, MOVED))
        if away != back or away + moved != many:
            wrong.append(f"{member.name}: {away} lines that the database is away, {back} back, {moved} another server")
        others = [line for line in lines if not any(words in line for words in (AWAY, BACK, MOVED, LOST))]
        wrong += [f"{member.name}: {line[:400]}" for line in others[:3]]
        if len(others) > 3:
            wrong.append(f"{member.name}: {len(others) - 3} further lines")
    return wrong


async def main(many: int, seed: int) -> int:
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="propdesk-failover-"))
    with Cluster() as cluster:
        await asyncio.to_thread(cluster.start, 1, synchronous=True)
        await migrate(cluster.primary.url(OWNER))
        done, wrong = await campaign(cluster, folder, many, seed)
    gaps = sorted(gap for one in done for gap in one.gaps)
    print(
        f"{many} failovers in {time.monotonic() - began:.0f} s (seed {seed}): gap beyond the promotion "
        f"median {gaps[len(gaps) // 2]:.2f} s, longest {gaps[-1]:.2f} s (wanted: at most {GAP_SECONDS_MAX:g})"
    )
    for line in wrong:
        print(f"WRONG {line}")
    if gaps[-1] > GAP_SECONDS_MAX:
        print(f"the longest gap is above {GAP_SECONDS_MAX:g} s; on a busy machine that says little")
    print(f"logs: {folder}" if wrong else "nothing acknowledged was lost or done twice")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, int(os.environ.get("SEED", "1")))))
