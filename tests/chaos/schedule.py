"""When which fault happens: the same seed, the same schedule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

CALM_SECONDS = 5.0  # before the first fault, and after the last one's end
PAUSE_SECONDS = (1.0, 6.0)  # between the end of a fault and the next one


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault, as the schedule knows it: how often it comes, and how long it lasts."""

    weight: float
    seconds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Step:
    """A fault at its time. `choice` picks among whatever it can hit, the same at each replay."""

    at: float  # seconds after the load has begun
    fault: str
    seconds: float  # that it lasts
    choice: int

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:6.1f} s  {self.fault}{lasting}  (choice {self.choice})"


def schedule(seed: int, minutes: float, kinds: Mapping[str, Kind]) -> list[Step]:
    """Faults one after the other for so many minutes, each kind about as often as its weight says.

    Kinds come in rounds, so that a short schedule has many of them.
    """
    chance = Random(seed)
    steps, at, names = list[Step](), CALM_SECONDS, _rounds(chance, kinds)
    while True:
        name = next(names)
        seconds = round(chance.uniform(*kinds[name].seconds), 1)
        step = Step(round(at, 1), name, seconds, chance.randrange(1 << 16))
        at += seconds + chance.uniform(*PAUSE_SECONDS)
        if step.at + seconds + CALM_SECONDS > minutes * 60:
            return steps
        steps.append(step)


def _rounds(chance: Random, kinds: Mapping[str, Kind]) -> Iterator[str]:
    """Names without end: each round has every kind as often as its weight, in an order of its own."""
    once: Sequence[str] = [name for name, kind in kinds.items() for _ in range(round(kind.weight))]
    while True:
        yield from chance.sample(once, len(once))
