"""``app.conf``: all settings of an application as one view, by attribute and by item.

Later layers win: defaults, `add_defaults`, what a configuration object says, what was set directly. This file must not
import modules or start anything; it is handed maps.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from datetime import timedelta
from typing import Any

from ignitetasks import deferred, log
from ignitetasks.app.defaults import DEFAULTS, INERT, OWN, RULES
from ignitetasks.app.reading import start_of
from ignitetasks.config import Settings, place_of
from ignitetasks.encodings import name_of
from ignitetasks.errors import ConfigurationError

__all__ = ["Conf"]

_log = log.get_logger("conf")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_SECRET = re.compile(r"API|TOKEN|KEY|SECRET|PASS|SIGNATURE|DATABASE", re.IGNORECASE)
_HIDDEN = "********"
#: The password in a URL: all that stands between the colon behind a user's name and the last @ before the path.
_PASSWORD = re.compile(r"(://[^/:@]*:)[^/]*(?=@)")
#: A name that starts like this is meant for us; any other may be the project's own.
_PREFIXES = ("task_", "worker_", "beat_", "result_", "broker_", "celery_", "celeryd_", "celerybeat_")
_FOREVER_SECONDS = 10 * 366 * 86400.0
_named: set[str] = set()


#: Settings that say how messages look: code that asks has to be told how they do, not what was wished for.
_FIXED = frozenset({"task_protocol"})
_SERIALIZERS = ("task_serializer", "result_serializer")


class Conf(MutableMapping[str, Any]):
    """The settings of an application.

    Args:
        base: Settings of the instance, as the environment and the application's arguments gave them.
        changed: Called after a change; what was derived from settings has to be forgotten.

    Attributes:
        changes: What was set directly.
    """

    def __init__(self, base: Settings, changed: Callable[[], None] = lambda: None) -> None:
        put = super().__setattr__
        put("changes", {})
        put("_base", base)
        put("_source", {})
        put("_more_defaults", {})
        put("_changed", changed)
        put("_read", None)
        put("_reader", None)
        put("_maps", {})
        put("_waiting", [])
        put("_elsewhere", _nowhere)
        put("_namespaced", False)

    # -- reading --------------------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        self._load()
        name = _known(key) or key
        for layer in (self.changes, self._source, self._more_defaults):
            if name in layer:
                return layer[name]
        field = OWN.get(name)
        if field is not None:
            value = getattr(self._base, field)
            if name in _SERIALIZERS and value not in self._accepted(name):
                # A project that accepts JSON alone means JSON.
                return next(iter(self._accepted(name)), value)
            return timedelta(seconds=value) if name == "result_expires" else value
        for values in (DEFAULTS, INERT):
            if name in values:
                value = values[name]
                # A map of this app's own: programs add entries in place, such as those of ``beat_schedule``.
                return self._maps.setdefault(name, dict(value)) if isinstance(value, dict) else value
        return None if _gone(name) is not None else self._elsewhere(key)

    def _accepted(self, serializer: str) -> Sequence[str]:
        """Returns the encodings among which a serializer has to be."""
        of_results = self["result_accept_content"] if serializer == "result_serializer" else None
        return of_results or self["accept_content"]  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}{_hint(name)}") from None

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter({**DEFAULTS, **dict.fromkeys(OWN), **self._more_defaults, **self._source, **self.changes})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        try:
            self[str(key)]
        except KeyError:
            return False
        return True

    def __repr__(self) -> str:
        return f"<Conf: {', '.join(sorted(self.table())) or 'defaults'}>"

    def get(self, key: str, default: Any = None) -> Any:
        """Returns a setting, or a default for one that does not exist."""
        try:
            return self[key]
        except KeyError:
            return default

    def first(self, *keys: str) -> Any:
        """Returns the first of several settings that has a value."""
        return next((self[key] for key in keys if self.get(key) is not None), None)

    def value_set_for(self, key: str) -> bool:
        """Tells whether anybody set a setting, to whatever value."""
        self._load()
        name = _known(key) or key
        return any(name in layer for layer in (self.changes, self._source, self._more_defaults))

    def table(self, with_defaults: bool = False, censored: bool = True) -> dict[str, Any]:
        """Returns settings as a map.

        Args:
            with_defaults: Also those nobody set.
            censored: Hide passwords and keys.
        """
        names = [name for name in self if with_defaults or self.value_set_for(name)]
        return {name: _censored(name, self[name]) if censored else self[name] for name in names}

    def without_defaults(self) -> dict[str, Any]:
        """Returns what was set, as it is."""
        return self.table(censored=False)

    def humanize(self, with_defaults: bool = False, censored: bool = True) -> str:
        """Returns settings as text, one a line; see `table`."""
        return "\n".join(f"{name}: {value!r}" for name, value in sorted(self.table(with_defaults, censored).items()))

    def find_option(self, name: str, namespace: str = "") -> tuple[str, str, Any]:
        """Returns the prefix, the rest and the value of the setting that has a name, with or without its prefix.

        Raises:
            KeyError: There is none.
        """
        candidates = [f"{namespace}_{name}" if namespace else name, name]
        candidates += [one for one in DEFAULTS if one.partition("_")[2] == name]
        for one in candidates:
            if one in DEFAULTS or one in OWN:
                prefix, _, rest = one.partition("_")
                return prefix, rest, self[one]
        raise KeyError(name)

    def find_value_for_key(self, name: str, namespace: str = "") -> Any:
        """Returns the value of the setting that has a name, with or without its prefix."""
        return self.find_option(name, namespace)[2]

    def get_by_parts(self, *parts: str) -> Any:
        """Returns a setting whose name is given in parts."""
        return self["_".join(part for part in parts if part)]

    def copy(self) -> dict[str, Any]:
        """Returns all settings as a map of its own."""
        return dict(self)

    # -- changing -------------------------------------------------------------------------------------------------

    def __setitem__(self, key: str, value: Any) -> None:
        self.change({key: value})

    def __setattr__(self, name: str, value: Any) -> None:
        self.change({name: value})

    def __delitem__(self, key: str) -> None:
        name = _known(key) or key
        if not any(layer.pop(name, self) is not self for layer in (self.changes, self._source)):
            raise KeyError(key)
        self._changed()

    def pop(self, key: str, *default: Any) -> Any:
        """Takes back what was set, and returns it; the default where nothing was."""
        value = self.get(key)
        if default and not any((_known(key) or key) in layer for layer in (self.changes, self._source)):
            return default[0]
        del self[key]
        return value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def change(self, given: Mapping[str, Any], where: str = "app.conf") -> None:
        """Sets settings directly.

        Args:
            given: Names and values.
            where: What the names stand in, for messages.

        Raises:
            ConfigurationError: A name or value is wrong.
        """
        self.changes.update(_checked(given, where))
        self._changed()

    def add_defaults(self, given: Mapping[str, Any]) -> None:
        """Adds values for settings that nobody sets."""
        self._more_defaults.update(_checked(given, "add_defaults"))
        self._changed()

    def use_source(self, read: Callable[[], tuple[Mapping[str, Any], str]], namespaced: bool = False) -> None:
        """Names a configuration object; it is read when a setting is first asked for.

        Args:
            read: Returns its names and values, and what to call it.
            namespaced: Whether its names had a prefix, as Django's have: then the project has constants among them.
        """
        super().__setattr__("_reader", read)
        super().__setattr__("_namespaced", namespaced)
        super().__setattr__("_elsewhere", _nowhere)
        self._source.clear()
        self.read_again()

    def read_again(self) -> None:
        """Has the configuration object read anew when a setting is next asked for; what was set directly stays."""
        super().__setattr__("_read", self._reader)
        self._changed()

    def look_in(self, source: Any, namespace: str | None) -> None:
        """Has names that are no settings looked up in a configuration object: a project may keep its own there.

        Args:
            source: A module or an object.
            namespace: What the names begin with there, as in `read_object`.
        """
        start = start_of(namespace)

        def find(name: str) -> Any:
            for spelled in (start + name, start + name.upper()):
                if not name.startswith("_") and hasattr(source, spelled):
                    return getattr(source, spelled)
            raise KeyError(name)

        super().__setattr__("_elsewhere", find)

    def _load(self) -> None:
        read = self._read
        if read is not None:
            # First, so that a configuration module that looks at the app does not read itself again.
            super().__setattr__("_read", None)
            try:
                given, where = read()
            except BaseException:
                super().__setattr__("_read", read)
                raise
            found = _checked(given, where, self._namespaced)
            self._source.clear()
            self._source.update(found)
        waiting = self._waiting[:]
        self._waiting.clear()  # first: a change reads settings itself
        for change in waiting:
            change()

    def finalize(self) -> Conf:
        """Reads the configuration object now, if it was not; returns itself."""
        self._load()
        return self

    def once_read(self, change: Callable[[], None]) -> None:
        """Has a change made once settings are read for the next time, after the configuration object.

        Args:
            change: Makes it.
        """
        self._waiting.append(change)

    # -- what the rest of the package uses ------------------------------------------------------------------------

    def settings(self) -> Settings:
        """Returns the settings of the instance that these come to.

        Raises:
            ConfigurationError: They contradict each other.
        """
        values = {field: self[name] for name, field in OWN.items() if self.value_set_for(name)}
        if "result_expires_seconds" in values:
            values["result_expires_seconds"] = _expiry_seconds(values["result_expires_seconds"])
        values.update({name: self[name] for name in _SERIALIZERS if name not in values})
        place = place_of(self.get("broker_url"))
        values.update({field: value for field, value in place.items() if field not in values})
        current = {field: getattr(self._base, field) for field in OWN.values()}
        return Settings(**{**current, **values})


def _censored(name: str, value: Any) -> Any:
    """Returns a setting's value as it may be shown."""
    if _SECRET.search(name):
        return _HIDDEN if value else value
    return _PASSWORD.sub(rf"\1{_HIDDEN}", value) if isinstance(value, str) else value


def _nowhere(name: str) -> Any:
    raise KeyError(name)


def _expiry_seconds(value: Any) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    return float(value) if value else _FOREVER_SECONDS


def _known(name: str) -> str | None:
    """Returns a setting's name here, whatever way it was spelled; None when there is none."""
    if name in DEFAULTS or name in OWN:
        return name
    by_field = {field: own for own, field in OWN.items()}
    if name in by_field:
        return by_field[name]
    entry = _catalogue(name) or (_catalogue(name.upper()) if name.startswith("celery") else None)
    return None if entry is None else str(entry.name)


def _catalogue(name: str) -> Any:
    return deferred.load("catalog").setting_named(name)


def _gone(name: str) -> str | None:
    entry = _catalogue(name)
    return None if entry is None else str(entry.text)


def _checked(given: Mapping[str, Any], where: str, namespaced: bool = False) -> dict[str, Any]:
    """Returns settings under their present names, their values checked."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = _known(key)
        if name is None:
            _judge_unknown(key, where, constants=namespaced or key.isupper())
            found[key] = value
            continue
        rule = RULES.get(name)
        if isinstance(DEFAULTS.get(name), bool) and type(value) is int and value in (0, 1):
            value = bool(value)  # as the environment and many a settings module have it
        if rule is not None and not rule[0](value):
            raise ConfigurationError(f"{where}: {key} must be {rule[1]}, not {value!r}")
        if name not in DEFAULTS and name not in OWN:
            _explain(key, name, value)
            if name in _FIXED:
                continue
        found[name] = _canonical(name, value)
    return found


def _canonical(name: str, value: Any) -> Any:
    if name in ("accept_content", "result_accept_content") and value is not None:
        names = [name_of(one) for one in ([value] if isinstance(value, str) else value)]
        # A content type that no encoding here has can only be received from elsewhere, and nothing is.
        return tuple(dict.fromkeys(one for one in names if not (isinstance(one, str) and "/" in one)))
    if name in ("task_serializer", "result_serializer"):
        return name_of(value)
    if name in ("imports", "include"):
        return (value,) if isinstance(value, str) else tuple(value)
    return value


def refuse_unknown(names: Iterable[str]) -> None:
    """Refuses names that are no settings at all, where nothing else can be meant.

    Raises:
        ConfigurationError: With the name that was probably meant, or all there are.
    """
    for name in names:
        if _known(name) is None:
            hint = _hint(name) or f"; the settings are: {', '.join(sorted({*OWN, *DEFAULTS}))}"
            raise ConfigurationError(f"unknown setting {name!r}{hint}")


def _judge_unknown(name: str, where: str, constants: bool) -> None:
    """Refuses a name that was meant to be a setting; where projects keep constants beside settings, says so once."""
    hint = _hint(name)
    if not hint and not name.lower().startswith(_PREFIXES):
        return
    if not constants:
        raise ConfigurationError(f"{where} has no setting {name!r}{hint or '; docs/migrate-from-celery.md lists all'}")
    if name not in _named:
        _named.add(name)
        _log.warning(f"{where} has {name!r}, which is no setting{hint}; it is taken for a constant of the project")


def _hint(name: str) -> str:
    lower = name.lower().removeprefix("celery_")
    close = difflib.get_close_matches(lower, [*DEFAULTS, *OWN], 1, 0.8)
    return f"; did you mean {close[0]!r}?" if close else ""


def _explain(spelled: str, name: str, value: Any) -> None:
    """Says once, of a setting that cannot apply, why."""
    understood = name == "broker_url" and bool(place_of(value))
    if value is not None and not understood and name not in _named:
        _named.add(name)
        _log.warning("a setting has no effect here", setting=spelled, reason=_gone(name))


def from_text(name: str, text: str) -> Any:
    """Returns the value that a text on a command line or in the environment stands for.

    Raises:
        ConfigurationError: It stands for none.
    """
    default = DEFAULTS.get(_known(name) or name)
    if isinstance(default, bool) or text.lower() in ("true", "false"):
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        raise ConfigurationError(f"{name} must be one of {_TRUE + _FALSE}, not {text!r}")
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None if text.lower() == "none" else text


def is_setting(name: str) -> bool:
    """Tells whether a name in a configuration object is one of a setting, or was meant to be."""
    return _known(name) is not None or name.lower().startswith(_PREFIXES)
