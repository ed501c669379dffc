"""Metrics: what the client counts, what the node answers, and the one text Prometheus reads."""

from __future__ import annotations

import os
import threading
from array import array

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from ignitetasks import exposition, metrics
from ignitetasks.nodemetrics import MAX_VALUES, node_families

# As a node gave them, cut to a few series of each family.
SHAPE = {"bounds_ms": [1.0, 10.0], "counts": [2, 3, 1], "sum_ms": 40.5, "count": 6}
METRICS = {
    "counters": {
        "ignitetasks_submitted_total": {'queue="default"': 5, 'queue="a,b\\"c\\\\d\\ne"': 1},
        "ignitetasks_finished_total": {'state="SUCCESS"': 3, 'state="DEAD"': 1},
        "ignitetasks_retries_total": {},
        "ignitetasks_dead_letters_total": {'queue="default"': 1},
        "ignitetasks_deliveries_total": {"": 8},
        "ignitetasks_gateway_calls_total": {'op="submit"': 4},
        "ignitetasks_gateway_errors_total": {'op="submit",code="BUSY"': 1},
        "ignitetasks_lane_runs_total": {'task="m.t",outcome="success"': 3},
        "ignitetasks_lane_child_deaths_total": {'reason="exit"': 1},
        "not a name": {"": 1},
    },
    "gauges": {"ignitetasks_lane_free_slots": {'worker="w"': 2}},
    "histograms": {
        "ignitetasks_wait_seconds": {'queue="default"': SHAPE},
        "ignitetasks_run_seconds": {'task="m.t"': SHAPE},
        "ignitetasks_commit_seconds": {"": SHAPE},
        "ignitetasks_gateway_call_seconds": {'op="submit"': SHAPE},
    },
}
STATUS = {
    "node": {"name": "n", "uptime_ms": 5000, "heap_used": 10, "heap_max": 20, "nodes": 1, "active": True},
    "queues": [
        {"name": "default", "pending": 3, "delayed": 1, "running": 2, "oldest_ms": 1500, "workers": 1, "free_slots": 4}
    ],
    "workers": [{"name": "w", "concurrency": 2, "free": 1, "running": 1, "done": 9, "failed": 1, "lost": 0}] * 2,
    "states": {"SUCCESS": 9, "DEAD": 1},
}


def samples(text):
    found = {}
    names = []
    for family in text_string_to_metric_families(text.decode()):
        names.append(family.name)
        for one in family.samples:
            key = (one.name, tuple(sorted(one.labels.items())))
            assert key not in found, f"twice: {key}"
            found[key] = one.value
    assert len(names) == len(set(names))
    assert all(name.startswith("ignitetasks_") for name in names)
    return found


def scrape(answer=METRICS, status=STATUS):
    text = exposition.render([lambda: node_families(lambda op: answer if op == "metrics" else status)])
    found = samples(text)
    return lambda name, **labels: found.get((name, tuple(sorted(labels.items()))))


def test_a_recorded_answer_becomes_families():
    value = scrape()
    assert value("ignitetasks_node_up") == 1
    assert value("ignitetasks_node_uptime_seconds") == 5
    assert (value("ignitetasks_node_heap_used_bytes"), value("ignitetasks_node_cluster_active")) == (10, 1)
    assert value("ignitetasks_queue_pending", queue="default") == 3
    assert value("ignitetasks_queue_oldest_seconds", queue="default") == 1.5
    assert value("ignitetasks_queue_free_slots", queue="default") == 4
    assert value("ignitetasks_tasks", state="DEAD") == 1
    assert value("ignitetasks_submitted_total", queue="default") == 5
    assert value("ignitetasks_submitted_total", queue='a,b"c\\d\ne') == 1
    assert value("ignitetasks_finished_total", state="SUCCESS") == 3
    assert value("ignitetasks_deliveries_total") == 8
    assert value("ignitetasks_gateway_errors_total", op="submit", code="BUSY") == 1
    assert value("ignitetasks_lane_runs_total", task="m.t", outcome="success") == 3
    assert value("ignitetasks_lane_free_slots", worker="w") == 2


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("wait", {"queue": "default"}),
        ("run", {"task": "m.t"}),
        ("commit", {}),
        ("gateway_call", {"op": "submit"}),
    ],
)
def test_histograms_are_in_seconds_and_added_up(name, labels):
    value = scrape()
    full = f"ignitetasks_{name}_seconds"
    assert [value(f"{full}_bucket", le=le, **labels) for le in ("0.001", "0.01", "+Inf")] == [2, 5, 6]
    assert (value(f"{full}_sum", **labels), value(f"{full}_count", **labels)) == (0.0405, 6)


def test_two_workers_of_one_name_are_one_series():
    value = scrape()
    assert value("ignitetasks_node_worker_done_total", worker="w") == 18
    assert value("ignitetasks_node_worker_free_slots", worker="w") == 2


def test_labels_that_users_fill_are_cut_off():
    count = MAX_VALUES + 50
    queues = [{"name": f"q{n:04}", "pending": 1, "oldest_ms": n} for n in range(count)]
    waits = {f'queue="q{n:04}"': SHAPE for n in range(count)}
    runs = {f'task="t{n:04}",outcome="success"': 1 for n in range(count)}
    answer = {"counters": {"ignitetasks_lane_runs_total": runs}, "histograms": {"ignitetasks_wait_seconds": waits}}
    value = scrape(answer, {"queues": queues})
    assert value("ignitetasks_queue_pending", queue="q0000") == 1
    assert value("ignitetasks_queue_pending", queue=f"q{MAX_VALUES:04}") is None
    assert value("ignitetasks_queue_pending", queue="other") == 50
    assert value("ignitetasks_queue_oldest_seconds", queue="other") == (count - 1) / 1000
    assert value("ignitetasks_wait_seconds_count", queue="other") == 50 * 6
    assert value("ignitetasks_lane_runs_total", task="other", outcome="success") == 50


def test_a_node_that_is_away():
    def fetch(_op):
        raise ConnectionError

    assert samples(exposition.render([lambda: node_families(fetch)])) == {("ignitetasks_node_up", ()): 0}


def test_a_family_that_two_sources_have_is_shown_once():
    text = exposition.render([metrics.families, metrics.families])
    assert text.count(b"# TYPE ignitetasks_client_submitted_total") == 1
    samples(text)


def client(rows=None):
    return samples(exposition.render([lambda: metrics.families(rows)]))


def test_the_client_counts_in_the_row_it_is_given():
    before = metrics._cells
    row = array("d", bytes(8 * metrics.CELLS))
    try:
        metrics.use(row)
        metrics.submitted.inc(3)
        metrics.results.labels("SUCCESS").inc()
        metrics.call_seconds.labels("submit").observe(0.001)
        metrics.call_seconds.labels("submit").observe(60)
        metrics.call_seconds.labels("made up").observe(0.2)
        metrics.call_failures.labels("status", "NotConnected").inc()
    finally:
        metrics.use(before)
    found = client([row, row])
    assert found[("ignitetasks_client_submitted_total", ())] == 6
    assert found[("ignitetasks_client_results_total", (("state", "SUCCESS"),))] == 2
    assert found[("ignitetasks_client_call_seconds_bucket", (("le", "0.001"), ("op", "submit")))] == 2
    assert found[("ignitetasks_client_call_seconds_bucket", (("le", "30"), ("op", "submit")))] == 2
    assert found[("ignitetasks_client_call_seconds_count", (("op", "submit"),))] == 4
    assert found[("ignitetasks_client_call_seconds_count", (("op", "other"),))] == 2
    assert found[("ignitetasks_client_call_failures_total", (("error", "NotConnected"), ("op", "status")))] == 2
    assert ("ignitetasks_client_results_total", (("state", "DEAD"),)) not in found


def test_threads_lose_nothing():
    before = client()[("ignitetasks_client_submitted_total", ())]
    threads = [threading.Thread(target=lambda: [metrics.submitted.inc() for _ in range(2000)]) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert client()[("ignitetasks_client_submitted_total", ())] == before + 8000


def test_a_forked_process_starts_at_zero():
    metrics.submitted.inc()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = 0 if client()[("ignitetasks_client_submitted_total", ())] == 0 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_program_may_add_them_to_its_own_registry():
    registry = CollectorRegistry()
    metrics.register(registry)
    metrics.submitted.inc()
    assert registry.get_sample_value("ignitetasks_client_submitted_total") >= 1
    assert b"ignitetasks_client_submitted_total" in metrics.render()
