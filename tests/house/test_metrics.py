"""Metrics, dashboard, alerts and their documents name the same things."""

import re

from prometheus_client import CollectorRegistry, ProcessCollector

from tests.house.sources import PACKAGES, ROOT, sources
from tools.dashboard import dashboard_text
from tools.metric_names import DECLARING, KINDS, metrics

ALERTS = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text()
CASES = (ROOT / "tests" / "deploy" / "alerts_test.yml").read_text()
NAME = re.compile(r"\b(?:propdesk|process)_[a-z_]+\b")
ALERT = re.compile(r"^      - alert: (\w+)$", re.MULTILINE)


def _series() -> set[str]:
    """Every name that a scrape of a process may have."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    names = {sample.name for family in registry.collect() for sample in family.samples}
    for metric in metrics():
        endings = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        names |= {metric.name + ending for ending in endings}
    return names


def test_every_metric_is_declared_where_the_list_is_read() -> None:
    read = {module.__name__.replace(".", "/") + ".py" for module in DECLARING}
    elsewhere = [
        source.path
        for source in sources(*PACKAGES)
        if source.package != "cli" and str(source.path) not in read
        if any(name.startswith("prometheus_client.") for name in source.imported())
        and KINDS.keys() & set(source.called())
    ]
    assert not elsewhere, "add the module to DECLARING in tools/metric_names.py"
    names = [metric.name for metric in metrics()]
    assert len(names) > 40
    assert len(names) == len(set(names))


def test_the_dashboard_is_in_step_with_the_metrics() -> None:
    assert (ROOT / "deploy" / "grafana" / "propdesk.json").read_text() == dashboard_text(), (
        "run: propdesk export-dashboard"
    )


def test_alerts_and_dashboard_name_metrics_that_exist() -> None:
    series = _series()
    expressions = re.findall(r"^        expr: (.*)$", ALERTS, re.MULTILINE)
    assert len(expressions) == len(ALERT.findall(ALERTS))
    assert not {name for one in expressions for name in NAME.findall(one)} - series - {"propdesk_api"}
    assert not set(re.findall(r"\b(propdesk_[a-z_]+)\b(?=[\[{])", dashboard_text())) - series
    assert not set(NAME.findall(CASES)) - series


def test_every_alert_fires_once_and_once_does_not() -> None:
    alerts = ALERT.findall(ALERTS)
    assert len(alerts) == len(set(alerts)) > 30
    found: dict[str, list[bool]] = {name: [] for name in alerts} | {
        name: [] for name in re.findall(r"- name: (\w+)", CASES)
    }
    for name, samples in re.findall(r'ALERTS\{alertname="(\w+)".*\n.*\n +exp_samples: (.*)', CASES):
        found[name].append(samples != "[]")
    assert {name: outcomes for name, outcomes in found.items() if sorted(outcomes) != [False, True]} == {}


def test_every_alert_says_how_bad_it_is_and_leads_to_a_case_of_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", runbook, re.MULTILINE)
    }
    alerts = len(ALERT.findall(ALERTS))
    assert len(re.findall(r"labels: \{severity: (?:page|ticket)\}", ALERTS)) == alerts
    named = re.findall(r"runbook: docs/runbook\.md#([\w-]+)$", ALERTS, re.MULTILINE)
    assert len(named) == alerts
    assert not set(named) - anchors


def test_every_metric_stands_in_the_operators_document() -> None:
    document = (ROOT / "docs" / "operations.md").read_text()
    assert not [metric.name for metric in metrics() if metric.name not in document]
