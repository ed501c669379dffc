"""How many processors a worker may use: affinity, and quotas of both kinds of control groups."""

from __future__ import annotations

import os

import pytest

from ignitetasks.utils.cpus import usable_cpus


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))

    def write(**files: str):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_without_a_quota_the_kernels_set_counts(root):
    assert usable_cpus(root()) == 8
    assert usable_cpus(root(proc__self__cgroup="0::/\n", sys__fs__cgroup__cpu_DOT_max="max 100000\n")) == 8


@pytest.mark.parametrize(("quota", "count"), [("150000 100000", 2), ("10000 100000", 1), ("9900000 100000", 8)])
def test_the_quota_is_rounded_up(root, quota, count):
    assert usable_cpus(root(proc__self__cgroup="0::/a/b\n", sys__fs__cgroup__a__b__cpu_DOT_max=quota)) == count


def test_the_smallest_quota_of_all_groups_above_counts(root):
    files = {"sys__fs__cgroup__a__cpu_DOT_max": "200000 100000", "sys__fs__cgroup__a__b__cpu_DOT_max": "500000 100000"}
    assert usable_cpus(root(proc__self__cgroup="0::/a/b\n", **files)) == 2


def test_the_older_kind_of_groups(root):
    top = "sys__fs__cgroup__cpu,cpuacct__a__cpu_DOT_cfs_"
    files = {f"{top}quota_us": "250000\n", f"{top}period_us": "100000\n"}
    assert usable_cpus(root(proc__self__cgroup="4:cpu,cpuacct:/a\n5:memory:/a\n", **files)) == 3
    files[f"{top}quota_us"] = "-1\n"
    assert usable_cpus(root(**files)) == 8
