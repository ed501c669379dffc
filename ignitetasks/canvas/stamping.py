"""Stamps: headers of your own on every call of a canvas, by which tasks can be found and revoked later.

This file must not walk a canvas: each kind does that for its own members.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class StampingVisitor(ABC):
    """Is shown every part of a canvas and says with which headers it is stamped.

    Each method returns headers; those named in ``stamped_headers`` (all, where that key is absent) are stamps.
    """

    @abstractmethod
    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any] | None:
        """Is shown a call."""

    def on_group_start(self, group: Any, **headers: Any) -> dict[str, Any] | None:
        """Is shown a group before its members."""
        return {}

    def on_group_end(self, group: Any, **headers: Any) -> None:
        """Is shown a group after its members."""
        return None

    def on_chain_start(self, chain: Any, **headers: Any) -> dict[str, Any] | None:
        """Is shown a chain before its steps."""
        return {}

    def on_chain_end(self, chain: Any, **headers: Any) -> None:
        """Is shown a chain after its steps."""
        return None

    def on_chord_header_start(self, sig: Any, **header: Any) -> dict[str, Any] | None:
        """Is shown a chord before the members of its header."""
        return self.on_group_start(sig.header_group(), **header)

    def on_chord_header_end(self, sig: Any, **header: Any) -> None:
        """Is shown a chord after the members of its header."""
        self.on_group_end(sig.header_group(), **header)

    def on_chord_body(self, sig: Any, **header: Any) -> dict[str, Any] | None:
        """Is shown a chord before its body."""
        return {}

    def on_callback(self, callback: Any, **header: Any) -> dict[str, Any] | None:
        """Is shown a callback."""
        return {}

    def on_errback(self, errback: Any, **header: Any) -> dict[str, Any] | None:
        """Is shown an errback."""
        return {}


class GroupStampingVisitor(StampingVisitor):
    """Stamps every call with the ids of the groups it is in, outermost first.

    Args:
        groups: Group ids to start with.
        stamped_headers: Names of further headers that are stamps.
    """

    def __init__(self, groups: list[str] | None = None, stamped_headers: list[str] | None = None) -> None:
        self.groups = groups or []
        self.stamped_headers = stamped_headers or []
        if "groups" not in self.stamped_headers:
            self.stamped_headers.append("groups")

    def on_group_start(self, group: Any, **headers: Any) -> dict[str, Any]:
        """Notes the group."""
        if group.id is None:
            group.freeze()
        if group.id not in self.groups:
            self.groups.append(group.id)
        return {"groups": list(self.groups), "stamped_headers": list(self.stamped_headers)}

    def on_group_end(self, group: Any, **headers: Any) -> None:
        """Forgets the group."""
        if self.groups and self.groups[-1] == group.id:
            self.groups.pop()

    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:
        """Stamps a call."""
        return {"groups": list(self.groups), "stamped_headers": list(self.stamped_headers)}


def merge_stamps(
    sig: Mapping[str, Any],
    seen: dict[str, Any] | None,
    append: bool = False,
    self_headers: bool = True,
    **headers: Any,
) -> dict[str, Any]:
    """Returns the stamps of a signature: given ones, those of a visitor, and those it has.

    Args:
        sig: The signature.
        seen: What the visitor said, or None where there is none.
        append: True makes a list of the values of one name; else the later one wins.
        self_headers: True keeps the stamps the signature has.
        **headers: The stamps given.
    """
    stamps = dict(headers)
    stamps.setdefault("stamped_headers", list(stamps))
    if seen is not None:
        seen.setdefault("stamped_headers", list(seen))
        _merge(stamps, seen, append)
    if self_headers:
        options = sig["options"]
        names = [*stamps["stamped_headers"], *(options.get("stamped_headers") or ())]
        stamps["stamped_headers"] = names
        _merge(stamps, {name: value for name, value in options.items() if name in set(names)}, append)
    stamps["stamped_headers"] = list(dict.fromkeys(stamps["stamped_headers"]))
    return stamps


def _merge(into: dict[str, Any], other: Mapping[str, Any], append: bool) -> None:
    for name, value in other.items():
        if name == "stamped_headers":
            into[name] = [*into.get(name, ()), *value]
        elif name not in into or not append:
            into[name] = value
        elif isinstance(into[name], dict) and isinstance(value, dict):
            _merge(into[name], value, append)
        else:
            into[name] = [*_as_list(into[name]), *_as_list(value)]


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
