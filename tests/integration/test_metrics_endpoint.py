"""The port of ``--metrics-port``: a scrape that Prometheus understands, and the two health questions."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import suite_tasks as suite
from prometheus_client.parser import text_string_to_metric_families
from support import until

PATIENCE = 60
HERE = Path(__file__).resolve().parent


def fetch(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["Content-Type"]


@pytest.fixture(scope="module")
def served(workers):
    """A worker with a metrics port, the port, and its queue."""
    worker = workers("metered", queues=["metered"], concurrency=2, options=["--metrics-port", "0", "--log-json"])
    found = until(lambda: re.search(r'"port": (\d+)', worker.text()), "the metrics port")
    return worker, int(found[1]), "metered"


def scrape(port):
    status, text, kind = fetch(port, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    families = list(text_string_to_metric_families(text))
    names = [one.name for one in families]
    assert len(names) == len(set(names)), "a family appears twice"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value for one in families for sample in one.samples
    }


def value(samples, name, **labels):
    return samples[(name, tuple(sorted(labels.items())))]


def test_health_and_readiness(served):
    _, port, _ = served
    until(lambda: fetch(port, "/readyz")[0] == 200, "the worker to be ready")
    assert fetch(port, "/healthz")[:2] == (200, "ok")
    assert fetch(port, "/nothing")[0] == 404


def test_a_scrape_has_what_is_promised(served, node):
    _, port, queue = served
    before = scrape(port)
    suite.add.bulk([(1, 2)] * 20, queue=queue).get(timeout=PATIENCE)
    with pytest.raises(suite.ShopError):
        suite.fail.apply_async(("shop",), queue=queue).get(timeout=PATIENCE)
    done = ("ignitetasks_worker_executions_total", (("worker", "metered"),))
    until(lambda: scrape(port)[done] - before[done] == 21, "the executions to be counted")
    after = scrape(port)
    assert value(after, "ignitetasks_worker_failures_total", worker="metered") >= 1
    assert value(after, "ignitetasks_worker_connected", worker="metered") == 1
    assert value(after, "ignitetasks_worker_children", worker="metered") == 2
    for name in ("pending", "oldest_seconds", "workers", "free_slots", "delayed", "running"):
        assert (f"ignitetasks_queue_{name}", (("queue", queue),)) in after
    assert value(after, "ignitetasks_queue_workers", queue=queue) == 1
    assert value(after, "ignitetasks_tasks", state="SUCCESS") >= 20
    assert value(after, "ignitetasks_finished_total", state="FAILURE") >= 1
    names = {name for name, _ in after}
    assert {f"ignitetasks_{kind}_seconds_bucket" for kind in ("wait", "run", "commit")} <= names
    assert {"ignitetasks_deliveries_total", "ignitetasks_finished_total", "ignitetasks_submitted_total"} <= names
    assert ("ignitetasks_tasks", (("state", "DEAD"),)) in after


def test_counters_never_fall(served):
    _, port, queue = served
    before = scrape(port)
    suite.add.bulk([(1, 2)] * 5, queue=queue).get(timeout=PATIENCE)
    after = scrape(port)
    for key, number in before.items():
        if key[0].endswith(("_total", "_bucket", "_count")):
            assert after[key] >= number, key


def test_a_port_that_is_taken_is_an_error_at_the_start(served, workers, queue):
    _, port, _ = served
    ended = workers.processes.run("worker", "-A", "suite_tasks", "-Q", queue, "--metrics-port", str(port), path=[HERE])
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "choose another --metrics-port" in ended.stderr
    assert "Traceback" not in ended.stderr
