"""The encodings that the settings of an instance accept. This file must not encode anything."""

from __future__ import annotations

from collections.abc import Callable

from ignitetasks.config import Settings, load_signing_key
from ignitetasks.serializers import Codecs


def codecs_of(settings: Settings, signing_key: Callable[[], bytes | None] | None = None) -> Codecs:
    """Returns the encodings of arguments and, where they have their own, of results.

    Args:
        settings: The settings.
        signing_key: Returns the key of signed pickles; None reads that of the settings.
    """
    key = signing_key or (lambda: load_signing_key(settings))
    codecs = Codecs(settings.accept_content, key)
    if settings.result_accept_content is not None:
        codecs.results = Codecs(settings.result_accept_content, key)
        codecs.results.setting = "result_accept_content"
    return codecs
