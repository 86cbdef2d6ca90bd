"""Every metric of a desk, as the code declares it. Read from the source: most exist only once they are collected."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from app import metrics as of_api
from services import telemetry
from workers import metrics as of_worker

DECLARING: tuple[ModuleType, ...] = (telemetry, of_api, of_worker)
KINDS = {
    "Counter": "counter",
    "CounterMetricFamily": "counter",
    "Gauge": "gauge",
    "GaugeMetricFamily": "gauge",
    "_gauge": "gauge",
    "_gauges": "gauge",
    "Histogram": "histogram",
}
OF_THE_DESK = frozenset(
    {"DeskCollector", "_shards"}
)  # collectors of figures that each API process reads from the database


@dataclass(frozen=True, slots=True)
class MetricDeclaration:
    """A metric; `name` is that of its series, for a histogram without `_bucket`."""

    name: str
    kind: str  # counter, gauge, histogram
    labels: tuple[str, ...]
    description: str
    is_of_desk: bool  # the same from each process


def metrics() -> list[MetricDeclaration]:
    """Return all of them, in the order of the code."""
    return [metric for module in DECLARING for metric in _declared(ast.parse(inspect.getsource(module)))]


def _declared(tree: ast.Module) -> Iterator[MetricDeclaration]:
    for node in tree.body:
        is_of_desk = isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in OF_THE_DESK
        for call in (one for one in ast.walk(node) if isinstance(one, ast.Call)):
            kind = KINDS.get(ast.unparse(call.func))
            texts = [one.value for one in call.args[:2] if isinstance(one, ast.Constant)]
            if kind and len(texts) == 2 and all(isinstance(text, str) for text in texts):
                name, description = map(str, texts)
                series = f"{name}_total" if kind == "counter" else name
                yield MetricDeclaration(series, kind, _labels(call), description, is_of_desk)


def _labels(call: ast.Call) -> tuple[str, ...]:
    """Return the labels that a call names: as its third argument, or by name."""
    named = [one.value for one in call.keywords if one.arg in ("labels", "labelnames")]
    for node in [*named, *call.args[2:3]]:
        if isinstance(node, ast.List | ast.Tuple):
            return tuple(str(one.value) for one in node.elts if isinstance(one, ast.Constant))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return (node.value,)
    return ()
