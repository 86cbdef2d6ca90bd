"""`make chaos MINUTES=10 SEED=1`: a desk under load, a seeded schedule of faults, and a verdict.

The desk has four workers and two API processes. The schedule depends on the seed and the minutes alone. At the end
everything is healed, the desk has to become idle, and the journal outside is compared with what it has; then it is
restored to a moment in the middle of the run and compared with what had been acknowledged by then.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import drill, logs
from tests.chaos.faults import FAULTS, KINDS, Ground, Impossible, heal
from tests.chaos.ground import ground_of
from tests.chaos.schedule import Step, schedule
from tests.cluster.comparison import compare, newest_event
from tests.cluster.desk import propdesk
from tests.cluster.journal import Journal, Outcome
from tests.cluster.load import Load, Settings, working

PROGRESS_SECONDS = 10.0
FINISH_SECONDS_MAX = 240.0  # in which everything that was begun is answered once the desk is healed
MOMENT = 0.6  # of the run: what the drill restores


@dataclass(slots=True)
class Run:
    """One campaign, and what it has found."""

    seed: int
    minutes: float
    rate: float
    folder: Path
    has_faults: bool = True
    broker: str | None = None  # None: the desk's database
    began: float = 0.0
    findings: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # faults that this machine cannot have

    def say(self, words: str) -> None:
        print(f"{time.monotonic() - self.began:7.1f} s  {words}", flush=True)

    async def play(self) -> None:
        """Set the desk up, work it and hurt it, heal it, and look."""
        self.began = time.monotonic()
        settings = Settings(seed=self.seed, verbs_second=self.rate)
        with Journal(self.folder / "journal") as journal:
            async with ground_of(self.folder, apis=2, workers=4, broker=self.broker) as ground:
                await ground.desk.start()
                self.say(f"ready: {', '.join(member.name for member in ground.desk.members)}; logs in {self.folder}")
                async with working(ground.desk, journal, settings) as load:
                    await load.one_of_each()
                    backup = await drill.base_backup(ground)
                    moment = await self._hurt(ground, load)
                    await self._calm(ground, load)
                await self._judge(ground, load, moment, backup)

    async def _hurt(self, ground: Ground, load: Load) -> float:
        """Work the desk while the schedule goes on; return the moment that the drill restores."""
        steps = schedule(self.seed, self.minutes, KINDS) if self.has_faults else []
        self.say(f"{len(steps)} faults in {self.minutes:g} minutes:")
        for step in steps:
            print(f"           {step}")
        work, began = asyncio.create_task(load.run()), time.monotonic()
        watch = asyncio.create_task(self._progress(load, ground))
        moments = list[float]()

        async def note_moment() -> None:
            await asyncio.sleep(self.minutes * 60 * MOMENT)
            moments.append(load.journal.note("the moment to restore")["at"])

        noting = asyncio.create_task(note_moment())
        try:
            for step in steps:
                await asyncio.sleep(max(0.0, began + step.at - time.monotonic()))
                await self._cause(ground, load, step)
            await asyncio.sleep(max(0.0, began + self.minutes * 60 - time.monotonic()))
            await noting
        finally:
            await heal(ground)
            load.stop()
            noting.cancel()
            await self._finished(work)
            watch.cancel()
        return moments[0]

    async def _cause(self, ground: Ground, load: Load, step: Step) -> None:
        load.journal.note("fault", step=str(step))
        try:
            what = await FAULTS[step.fault][0](ground, step)
            self.say(f"{step.fault}: {what}" + (f", {step.seconds} s" if step.seconds else ""))
        except Impossible as reason:
            self.skipped[step.fault] = str(reason)
            self.say(f"SKIPPED {step.fault}: {reason}")

    async def _finished(self, work: "asyncio.Task[None]") -> None:
        """Let everything that was begun be answered."""
        done, _ = await asyncio.wait([work], timeout=FINISH_SECONDS_MAX)
        if not done:
            self.findings.append(f"after {FINISH_SECONDS_MAX:.0f} s without faults some requests still have no answer")
            work.cancel()
        with suppress(asyncio.CancelledError):
            for error in _leaves(work.exception() if done else None):
                self.findings.append(f"a client: {type(error).__name__}: {error}")

    async def _progress(self, load: Load, ground: Ground) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            counts = load.journal.summary()
            under_way = counts[Outcome.UNKNOWN]
            events = min((one.newest for one in load.subscribers), default=0)
            starts = sum(member.starts for member in ground.desk.members)
            self.say(
                f"        {counts[Outcome.DONE]} done, {counts[Outcome.REFUSED]} refused, {counts['DOUBTED']} once in "
                f"doubt, {under_way} under way; {len(load.world.accounts)} accounts, {events} events, {starts} starts"
            )

    async def _calm(self, ground: Ground, load: Load) -> None:
        """The desk has to become ready and idle by itself, and every subscriber has to get the rest."""
        try:
            ready = await ground.desk.ready()
            settled = await load.settled()
            came = await load.all_events_came(await asyncio.to_thread(newest_event, ground.server.url("postgres")))
            self.say(
                f"ready after {ready:.1f} s, behind with nothing after {settled:.1f} s, all events {came:.1f} s later"
            )
        except (TimeoutError, AssertionError) as error:
            self.findings.append(f"no calm after the last fault: {error}")
        for subscriber in load.subscribers:
            self.findings += subscriber.faults

    async def _judge(self, ground: Ground, load: Load, moment: float, backup: drill.Backup) -> None:
        owner = ground.server.url("postgres")
        self.findings += [str(finding) for finding in await asyncio.to_thread(compare, owner, load.journal)]
        self.findings += await verified(ground.server.url())
        self.findings += logs.findings(ground.desk)
        internal = [message for speaker in load.firm.speakers.values() for message in speaker.internal]
        if internal:
            self.findings.append(f"clients were told INTERNAL {len(internal)} times, first: {internal[0]}")
        self.say(f"compared {sum(load.journal.summary().values())} requests, verified the books, read the logs")
        await ground.desk.stop()
        try:
            self.findings += [f"restored: {finding}" for finding in await drill.restore(ground, backup, load, moment)]
        except (AssertionError, TimeoutError) as error:
            self.findings.append(f"the restore drill: {error}")
        self.say("restored to the moment, compared, verified and served")
        self._sum_up(ground, load)

    def _sum_up(self, ground: Ground, load: Load) -> None:
        counts = Counter(f"{r.operation} {r.outcome}" for r in load.journal.requests.values())
        for name, many in sorted(counts.items()):
            print(f"           {many:6d} {name}")
        for member in ground.desk.members:
            print(f"           {member.name}: {member.starts} starts, ends {Counter(member.ends)}")
        for subscriber in load.subscribers:
            print(f"           {subscriber.name}: {subscriber.connections} connections, {Counter(subscriber.closes)}")


async def verified(url: str) -> list[str]:
    """What `propdesk verify` finds."""
    status, said = await propdesk("verify", env={"DATABASE_URL": url, "OWNER_DATABASE_URL": "", "BROKER_URL": ""})
    return [] if status == 0 else [f"verify: {line}" for line in said.splitlines()[-20:]]


def _leaves(error: BaseException | None) -> list[BaseException]:
    """The errors of a group of groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [] if error is None else [error]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=8.0, help="verbs a second")
    parser.add_argument("--faults", choices=("yes", "no"), default="yes")
    parser.add_argument("--broker", choices=("redis", "rabbitmq", "postgresql"), help="a server of its own")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=f"propdesk-chaos-{given.seed}-"))
    folder.chmod(0o755)
    run = Run(given.seed, given.minutes, given.rate, folder, has_faults=given.faults == "yes", broker=given.broker)
    asyncio.run(run.play())
    for finding in run.findings:
        print(f"FOUND {finding}")
    if run.findings:
        print(f"{len(run.findings)} findings; the journal and the logs are kept in {folder}")
        print(f"the same schedule again: make chaos MINUTES={given.minutes:g} SEED={given.seed} RATE={given.rate:g}")
        sys.exit(1)
    shutil.rmtree(folder, ignore_errors=True)
    done = f"seed {given.seed}, {given.minutes:g} minutes: clean"
    print(done + "".join(f"; without {name!r}: {why}" for name, why in run.skipped.items()))


if __name__ == "__main__":
    main()
