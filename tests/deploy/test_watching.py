"""The dashboard and the alerts ask for numbers that there are."""

import re
from pathlib import Path

import orjson
from prometheus_client import CollectorRegistry

from shared import metrics

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
SUFFIXES = ("_total", "_bucket", "_count", "_sum", "")


def counted() -> set[str]:
    """List the names of all numbers, as Prometheus's library registers them."""
    registry = CollectorRegistry()
    for instrument in metrics._ALL:
        instrument.connect(registry)
        instrument.disconnect()
    return {name for name in registry._names_to_collectors if not name.endswith("_created")}


def asked(path: str) -> set[str]:
    return set(re.findall(r"\brondo_\w+", (DEPLOY / path).read_text(encoding="utf-8")))


def test_the_dashboard_is_json_whose_panels_have_questions() -> None:
    dashboard = orjson.loads((DEPLOY / "grafana/rondo.json").read_bytes())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert all(panel["title"] and all(target["expr"] for target in panel["targets"]) for panel in panels)


def test_the_dashboard_shows_every_number_and_no_other() -> None:
    shown = asked("grafana/rondo.json")
    assert shown <= counted()
    unshown = {instrument._name for instrument in metrics._ALL if not any(instrument._name + end in shown for end in SUFFIXES)}
    assert unshown <= {"rondo_router_call_seconds", "rondo_router_attempt_seconds"}, "kept for questions about one provider"


def test_alerts_ask_for_numbers_that_there_are() -> None:
    assert asked("prometheus/alerts.yaml") <= counted()
