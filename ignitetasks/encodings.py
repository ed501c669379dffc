"""Names of the encodings there are: those of this package, and those that a program registers.

This file must not encode anything; `serializers` does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ignitetasks.errors import ConfigurationError

#: The encodings of this package.
OWN: Final = ("msgpack", "json", "pickle", "yaml")
_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
#: What is registered for these content encodings is given bytes, and not text.
_BINARY: Final = ("binary", "ascii-8bit", "")


class Registered(NamedTuple):
    """An encoding that a program has registered.

    Attributes:
        name: Its name.
        encoder: Makes text or bytes of a value.
        decoder: Makes the value of them.
        content_type: Another name of it.
        content_encoding: How text becomes bytes; ``binary`` where there is no text.
    """

    name: str
    encoder: Callable[[Any], str | bytes]
    decoder: Callable[[Any], Any]
    content_type: str
    content_encoding: str

    def dumps(self, value: Any) -> bytes:
        """Encodes a value."""
        data = self.encoder(value)
        return data.encode("utf-8" if self.is_binary else self.content_encoding) if isinstance(data, str) else data

    def loads(self, data: bytes) -> Any:
        """Decodes what `dumps` made."""
        return self.decoder(data if self.is_binary else data.decode(self.content_encoding))

    @property
    def is_binary(self) -> bool:
        """Whether the decoder wants bytes."""
        return self.content_encoding in _BINARY


_registered: dict[str, Registered] = {}
_types: dict[str, str] = {
    "application/json": "json",
    "application/x-msgpack": "msgpack",
    "application/x-python-serialize": "pickle",
    "application/x-yaml": "yaml",
}


def register(
    name: str,
    encoder: Callable[[Any], str | bytes],
    decoder: Callable[[Any], Any],
    content_type: str = "",
    content_encoding: str = "utf-8",
) -> None:
    """Makes an encoding known to this process; name it in ``accept_content`` and as a serializer to use it.

    Every process that meets its values must do the same, best in the module of the application.

    Args:
        name: Its name.
        encoder: Makes text or bytes of plain lists and maps, and whatever else it understands.
        decoder: Makes the value of them; is given text, or bytes where ``content_encoding`` is ``binary``.
        content_type: Another name that settings may call it by.
        content_encoding: How text becomes bytes; ``binary`` where the encoder makes bytes.

    Raises:
        ConfigurationError: The name is that of one of this package's encodings, or cannot be one.
    """
    if name in OWN or not _NAME.fullmatch(name):
        raise ConfigurationError(f"an encoding of your own needs another name than {name!r}, of letters and digits")
    _registered[name] = Registered(name, encoder, decoder, content_type, content_encoding)
    if content_type:
        _types[content_type] = name


def unregister(name: str) -> None:
    """Forgets an encoding that was registered.

    Raises:
        ConfigurationError: There is none of this name.
    """
    found = _registered.pop(name, None)
    if found is None:
        raise ConfigurationError(f"no encoding {name!r} was registered; registered are {sorted(_registered)}")
    if found.content_type:
        _types.pop(found.content_type, None)


def registered(name: str) -> Registered | None:
    """Returns an encoding that was registered, here or with kombu, or None."""
    return _registered.get(name) or _of_kombu(name)


def is_known(name: object) -> bool:
    """Tells whether there is an encoding of a name."""
    return isinstance(name, str) and (name in OWN or registered(name) is not None)


def known() -> list[str]:
    """Returns the names of all encodings."""
    return [*OWN, *sorted(_registered)]


def name_of(value: Any) -> Any:
    """Returns the name of an encoding that may be given by its content type; anything else as it is."""
    if not isinstance(value, str):
        return value
    return _types.get(value) or getattr(_registry_of_kombu(), "type_to_name", {}).get(value, value)


def _registry_of_kombu() -> Any:
    """Returns where a program that was written for Celery may have registered encodings, if it has imported that."""
    return getattr(sys.modules.get("kombu.serialization"), "registry", None)


def _of_kombu(name: str) -> Registered | None:
    registry = _registry_of_kombu()
    content_type = getattr(registry, "name_to_type", {}).get(name)
    decoder = getattr(registry, "_decoders", {}).get(content_type)
    found = getattr(registry, "_encoders", {}).get(name)
    if decoder is None or found is None or found.encoder is None:
        return None
    return Registered(name, found.encoder, decoder, str(content_type), found.content_encoding)
