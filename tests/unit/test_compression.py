"""Compression by optional libraries: round trips where they are installed, clear words where they are not."""

from __future__ import annotations

import pytest

from ignitetasks import IgniteTasks, compression
from ignitetasks.errors import ConfigurationError, InvalidOption, SerializationError

TEXT = b"a line that comes again and again\n" * 200
LIBRARIES = {"zstd": "zstandard", "brotli": "brotli"}


@pytest.mark.parametrize("method", sorted(compression.COMPRESSIONS))
def test_what_is_compressed_comes_back(method):
    library = compression.missing(method)
    if library is not None:
        pytest.skip(f"{library} is not installed")
    packed = compression.compress(TEXT, method)
    assert packed[:1] == compression.MARK and len(packed) < len(TEXT) / 10
    assert compression.decompress(bytes(packed)) == TEXT


@pytest.mark.parametrize("method", LIBRARIES)
def test_damaged_bytes_are_named(method):
    pytest.importorskip(LIBRARIES[method])
    packed = bytearray(compression.compress(TEXT, method))
    packed[2:10] = b"\xff" * 8
    with pytest.raises(SerializationError, match="damaged"):
        compression.decompress(bytes(packed))


@pytest.mark.parametrize("method", LIBRARIES)
def test_a_value_larger_than_any_may_be_is_refused(method, monkeypatch):
    pytest.importorskip(LIBRARIES[method])
    packed = compression.compress(TEXT, method)
    monkeypatch.setattr(compression, "LARGEST_BYTES", 1000)
    with pytest.raises(SerializationError, match="larger than"):
        compression.decompress(bytes(packed))


@pytest.mark.parametrize("method", LIBRARIES)
def test_a_library_that_is_missing_is_named(method, monkeypatch):
    monkeypatch.setattr(compression.importlib.util, "find_spec", lambda name: None)
    compression.missing.cache_clear()
    try:
        app = IgniteTasks("compressing", transport="memory", set_as_current=False)
        with pytest.raises(ConfigurationError, match="where zstandard and brotli are installed"):
            app.conf.task_compression = method
        with pytest.raises(InvalidOption, match=f"needs the library '{LIBRARIES[method]}'"):
            app.send_task("some", compression=method)
    finally:
        compression.missing.cache_clear()


def test_a_value_of_a_library_that_is_missing_is_named(monkeypatch):
    def fail(part):
        raise ModuleNotFoundError(part)

    monkeypatch.setattr(compression.deferred, "load", fail)
    with pytest.raises(SerializationError, match="zstandard, which is not installed here"):
        compression.decompress(b"zs" + b"data")
