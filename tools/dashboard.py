"""A dashboard for Grafana: a panel for each metric of a desk."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer

from tools.generated_files import write_or_check
from tools.metric_names import MetricDeclaration, metrics

ROWS = {  # the panels' rows, by the words their metrics' names begin with; what fits none comes last
    "Is it well": ("ready", "database_up", "sign_age", "task_faults", "errors", "verify", "broker", "database_outages"),
    "Marks and verdicts": ("newest_batch", "lag", "shard", "pass", "accounts", "unreadable"),
    "Jobs": ("job", "wakeups"),
    "Quotes": ("quote", "dropped", "suspect"),
    "Requests": ("request", "http", "refusals", "action", "documents", "lists"),
    "Events": ("event", "hub", "subscribers"),
    "Connections and load": ("pool", "admission", "connections", "flight", "answers", "loop", "jwt"),
    "Database and disk": ("database", "disk"),
}
OTHERS = "Others"
COLUMNS, WIDTH, HEIGHT = 3, 8, 7
DATA = {"type": "prometheus", "uid": "${data}"}
UNITS = {"seconds": "s", "bytes": "bytes"}
HELD = 'desk=~"$desk"'


def export_dashboard(
    path: Annotated[Path, typer.Argument(help="The file to write")] = Path("deploy/grafana/propdesk.json"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the file is out of step")] = False,
) -> None:
    """Write the dashboard for Grafana, made of the metrics of the code, to a file."""
    write_or_check(path, dashboard_text(), check=check, command="export-dashboard")


def dashboard_text() -> str:
    """Return the dashboard, ending in a newline."""
    return json.dumps(_dashboard(), indent=1) + "\n"


def _dashboard() -> dict[str, Any]:
    variables = [
        {"name": "data", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "desk",
            "type": "query",
            "datasource": DATA,
            "query": "label_values(propdesk_ready, desk)",
            "refresh": 2,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]
    return {
        "uid": "propdesk",
        "title": "Propdesk",
        "tags": ["propdesk"],
        "schemaVersion": 38,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": variables},
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    ids = count(1)
    top = 0
    rows: dict[str, list[MetricDeclaration]] = {title: [] for title in [*ROWS, OTHERS]}
    for metric in metrics():
        rows[_row(metric.name.removeprefix("propdesk_"))].append(metric)
    for title, members in rows.items():
        if not members:
            continue
        place = {"x": 0, "y": top, "w": COLUMNS * WIDTH, "h": 1}
        yield {"id": next(ids), "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        for index, metric in enumerate(members):
            line, column = divmod(index, COLUMNS)
            place = {"x": column * WIDTH, "y": top + 1 + line * HEIGHT, "w": WIDTH, "h": HEIGHT}
            yield {"id": next(ids), "gridPos": place} | _panel(metric)
        top += 1 + -(-len(members) // COLUMNS) * HEIGHT


def _row(name: str) -> str:
    """Return the row whose words fit best: of several the longest."""
    fitting = [(len(word), title) for title, words in ROWS.items() for word in words if name.startswith(word)]
    return max(fitting)[1] if fitting else OTHERS


def _panel(metric: MetricDeclaration) -> dict[str, Any]:
    unit = next((unit for word, unit in UNITS.items() if metric.name.removesuffix("_total").endswith(word)), "short")
    return {
        "type": "timeseries",
        "title": metric.name,
        "description": metric.description,
        "datasource": DATA,
        "fieldConfig": {"defaults": {"unit": "ops" if metric.kind == "counter" else unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": list(_targets(metric)),
    }


def _targets(metric: MetricDeclaration) -> Iterator[dict[str, Any]]:
    series = f"{metric.name}{{{HELD}}}"
    labels = list(metric.labels)
    if metric.kind == "histogram":
        by = ", ".join(["le", *labels])
        for reference, quantile in (("A", 0.5), ("B", 0.99)):
            rate = f"sum by ({by}) (rate({metric.name}_bucket{{{HELD}}}[$__rate_interval]))"
            legend = " ".join([*_shown(labels), f"p{quantile * 100:.0f}"])
            yield _target(reference, f"histogram_quantile({quantile}, {rate})", legend)
        return
    if metric.is_of_desk:  # each API process tells the same of it
        whole = f"max by ({', '.join(['desk', *labels])})"
    else:
        labels.append("instance")
        whole = f"sum by ({', '.join(labels)})"
    counted = f"rate({series}[$__rate_interval])" if metric.kind == "counter" else series
    yield _target("A", f"{whole} ({counted})", " ".join(_shown(labels)) or "{{desk}}")


def _target(reference: str, expression: str, legend: str) -> dict[str, Any]:
    return {"refId": reference, "datasource": DATA, "expr": expression, "legendFormat": legend}


def _shown(labels: list[str]) -> list[str]:
    return [f"{{{{{label}}}}}" for label in labels]
