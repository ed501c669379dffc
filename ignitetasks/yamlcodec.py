"""YAML as a way to write JSON; the only file that imports PyYAML. This file must not build anything but plain data."""

from __future__ import annotations

import json

import yaml


def from_json(data: bytes) -> bytes:
    """Returns JSON as YAML."""
    text: str = yaml.safe_dump(json.loads(data), allow_unicode=True, sort_keys=False)
    return text.encode("utf-8")


def to_json(data: bytes) -> bytes:
    """Returns YAML as JSON."""
    return json.dumps(yaml.safe_load(data)).encode("utf-8")
