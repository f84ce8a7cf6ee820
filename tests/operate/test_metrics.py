"""What /metrics has of a gateway besides its counters."""

from typing import Any

from msgin5g.delivery import HIGH, LOW
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from host_tools.gateway import sparingly
from host_tools.gateway.metrics import GatewayMetrics, Times


class Store:
    def __init__(self, *rows):
        self.asked = 0
        self.found = list(rows)

    def rows(self, query):
        self.asked += 1
        return self.found


def of(store: Any, times=None):
    return GatewayMetrics(store, times or {})


def collected(collector):
    # As Prometheus reads it.
    registry = CollectorRegistry()
    registry.register(collector)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {family.name: family for family in families}


def samples(family):
    return {
        (one.name.removeprefix(family.name), *sorted(one.labels.items())): one.value for one in family.samples
    }


def test_delivery_times_are_a_histogram():
    up = Times()
    for seconds in (0.004, 0.005, 0.2, 7200, 1e9, None):
        up.add(seconds)
    families = collected(of(Store(), {"up": up, "down": Times()}))
    family = families["msgin5g_gateway_delivery_seconds"]
    assert family.type == "histogram" and "stored" in family.documentation
    values = samples(family)
    direction = ("direction", "up")
    assert values["_bucket", direction, ("le", "0.005")] == 2
    assert values["_bucket", direction, ("le", "0.25")] == 3
    assert values["_bucket", direction, ("le", "86400")] == 4
    assert values["_bucket", direction, ("le", "+Inf")] == values["_count", direction] == 5
    assert values["_sum", direction] == 0.004 + 0.005 + 0.2 + 7200 + 1e9
    assert values["_count", ("direction", "down")] == 0
    untimed = samples(families["msgin5g_gateway_delivery_untimed"])
    assert untimed["", direction] == 1


def test_what_waits_is_told_by_direction_and_priority():
    store = Store((1, HIGH, 3), (0, LOW, 5))
    family = collected(of(store))["msgin5g_gateway_queue_messages"]
    values = samples(family)
    assert family.type == "gauge" and len(values) == 6
    assert values["", ("direction", "up"), ("priority", "high")] == 3
    assert values["", ("direction", "down"), ("priority", "low")] == 5
    assert values["", ("direction", "up"), ("priority", "middle")] == 0


def test_a_backlog_that_takes_long_to_count_is_not_counted_at_every_request(monkeypatch):
    spent = [0.0]
    monkeypatch.setattr(sparingly.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(sparingly.time, "thread_time", lambda: spent[0])
    store = Store()

    def slow(query):
        spent[0] += 1.0
        store.asked += 1
        return []

    store.rows = slow
    collector = of(store)
    for _ in range(3):
        collected(collector)
    assert store.asked == 1
