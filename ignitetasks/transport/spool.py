"""Large values as files beside an embedded node's store, written and read without the node.

The node names the folder when a blob lane is opened; it deletes the files and reads the same format
(``FileBlobStore.java``): 32 bytes of header (magic, size, CRC-32 or 0, due time), then the value. A value appears
under its name by renaming, so it is there whole or not at all. This file must not know lanes or tasks.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import mmap
import os
import struct
import time
from pathlib import Path

from ignitetasks.message import BlobRef

_HEADER = struct.Struct(">8sQIQ4x")
_MAGIC = b"ITBLOB1\n"
_counter = itertools.count()


class Spool:
    """The folder of one node's large values.

    Args:
        folder: Where.
        sync: True: a value is on the disk before it appears.
    """

    def __init__(self, folder: str, sync: bool) -> None:
        self._folder = Path(folder)
        self._sync = sync

    def _file(self, blob_id: str) -> Path:
        return self._folder / hashlib.sha256(blob_id.encode("utf-8")).hexdigest()[:40]

    def put(self, blob_id: str, data: bytes | bytearray | memoryview, ttl_ms: int) -> BlobRef:
        """Stores a value; storing the same id again replaces it.

        Args:
            blob_id: Its name.
            data: The value.
            ttl_ms: Milliseconds after which the node may delete it; 0 keeps it until it is dropped.

        Raises:
            OSError: The folder cannot be written or its disk is full; nothing is left behind.
        """
        view = memoryview(data).cast("B")
        due = time.time_ns() // 1_000_000 + ttl_ms if ttl_ms else 0
        final = self._file(blob_id)
        growing = final.with_name(f"{final.name}.{os.getpid()}.{next(_counter)}.part")
        file = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                # No checksum: the value crosses nothing but the kernel's page cache.
                _write_all(file, memoryview(_HEADER.pack(_MAGIC, len(view), 0, due)))
                _write_all(file, view)
                if self._sync:
                    os.fsync(file)
            finally:
                os.close(file)
            growing.rename(final)
        except BaseException:
            with contextlib.suppress(OSError):
                growing.unlink()
            raise
        if self._sync:
            self._sync_folder()
        return BlobRef(blob_id, len(view), 0)

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def get(self, ref: BlobRef) -> memoryview | None:
        """Maps a value into memory; None if it is not there.

        Args:
            ref: Its name and size.

        Raises:
            OSError: The folder cannot be read.
            ValueError: The file is not what the reference says.
        """
        try:
            file = os.open(self._file(ref.id), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            length = os.fstat(file).st_size
            if length < _HEADER.size:
                raise ValueError(f"{ref.id} is damaged: its file has no header")
            # The map outlives the descriptor, and the file's name: the node may delete it meanwhile.
            whole = mmap.mmap(file, length, prot=mmap.PROT_READ)
        finally:
            os.close(file)
        magic, size, _, _ = _HEADER.unpack_from(whole)
        if magic != _MAGIC or size != ref.size or length != _HEADER.size + size:
            raise ValueError(f"{ref.id} is damaged: size or header differ from what was stored")
        return memoryview(whole)[_HEADER.size :]


def _write_all(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]
