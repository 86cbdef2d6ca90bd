"""The alert rules as Prometheus itself reads and fires them."""

from pathlib import Path

from tests.deploy.programs import DEPLOY, program, run


def test_prometheus_accepts_rules_and_configuration() -> None:
    promtool = program("promtool")
    assert "SUCCESS" in run(promtool, "check", "rules", DEPLOY / "prometheus" / "alerts.yml")
    assert "1 rule files found" in run(promtool, "check", "config", DEPLOY / "prometheus" / "prometheus.yml")


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    cases = Path(__file__).with_name("alerts_test.yml")
    assert "SUCCESS" in run(program("promtool"), "test", "rules", cases.name, cwd=cases.parent)
