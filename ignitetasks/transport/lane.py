"""Large values beside the gateway: as files where the node offers its folder, else over its Unix socket.

One connection per process, made at the first use and made again after a fork or a failure; values travel over it
in pieces of 1 MiB. This file must not know what a value means; it checks size and checksum, and nothing else.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import TypeVar
from zlib import crc32

from ignitetasks import frames
from ignitetasks.errors import GatewayError, NotConnected, ResultExpired, SerializationError, StorageFull, from_wire
from ignitetasks.message import BlobRef
from ignitetasks.serializers import Data
from ignitetasks.transport.spool import Spool

T = TypeVar("T")

Target = tuple[str, str]


class BlobLane:
    """Puts and gets blobs of one node.

    Args:
        target: Returns path and token of the node's lane; called at each connect.
    """

    def __init__(self, target: Callable[[], Target]) -> None:
        self._target = target
        self._renew()

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._connection: frames.LaneConnection | None = None
        self._pid = os.getpid()
        self._spool: Spool | None = None
        # The folder is not ours to use after all, e.g. in another mount namespace: the socket serves everybody.
        self._refused = False

    def _offered(self) -> Spool | None:
        """Returns the folder the node offers; asks once per connection."""
        if self._pid == os.getpid() and self._connection is not None:
            return None if self._refused else self._spool
        self._use(lambda lane: None)
        return None if self._refused else self._spool

    def put(self, blob_id: str, data: Data, ttl_ms: int) -> BlobRef:
        """Stores a value.

        Args:
            blob_id: Its name.
            data: The value.
            ttl_ms: Milliseconds after which it may be swept.

        Raises:
            NotConnected: The node cannot be reached, also after a second try.
            StorageFull: The node's disk is full.
            GatewayError: The node refused the value.
        """
        spool = self._offered()
        if spool is not None:
            try:
                return spool.put(blob_id, data, ttl_ms)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise StorageFull(f"{blob_id} was not stored: the node's disk is full") from error
                self._refused = True
        view = memoryview(data).cast("B")
        checksum = crc32(view)

        def send(lane: frames.LaneConnection) -> None:
            lane.send(frames.BLOB_PUT, [blob_id, len(view), ttl_ms])
            for start in range(0, len(view), frames.BLOB_CHUNK):
                lane.send_raw(frames.BLOB_DATA, view[start : start + frames.BLOB_CHUNK])
            kind, answer = lane.recv_msg()
            if kind != frames.BLOB_OK or answer[0] != checksum:
                raise frames.LaneProtocolError(f"the node stored {blob_id} with another checksum")

        self._use(send)
        return BlobRef(blob_id, len(view), checksum)

    def get(self, ref: BlobRef) -> Data:
        """Reads a value.

        Args:
            ref: Name, size and checksum of the value.

        Raises:
            ResultExpired: It is no longer there.
            SerializationError: What came is not what was stored.
            NotConnected: The node cannot be reached, also after a second try.
        """
        found = self._from_spool(ref)
        if found is not None:
            return found

        def receive(lane: frames.LaneConnection) -> bytearray:
            lane.send(frames.BLOB_GET, [ref.id])
            whole = bytearray(ref.size)
            have = 0
            while True:
                kind, payload = lane.recv()
                if kind == frames.BLOB_END:
                    break
                if kind != frames.BLOB_DATA:
                    raise frames.LaneProtocolError(f"the lane answered BLOB_GET with a frame of kind {kind}")
                if have + len(payload) > ref.size:
                    raise frames.LaneProtocolError(f"{ref.id} is longer than its {ref.size} bytes")
                whole[have : have + len(payload)] = payload
                have += len(payload)
            # A value that was stored as a file has no checksum.
            if have != ref.size or (ref.crc32 and crc32(whole) != ref.crc32):
                raise SerializationError(f"{ref.id} is damaged: size or checksum differ from what was stored")
            return whole

        return self._use(receive)

    def _from_spool(self, ref: BlobRef) -> memoryview | None:
        """Reads a value from its file; None where the socket has to be asked."""
        spool = self._offered()
        if spool is None:
            return None
        try:
            found = spool.get(ref)
        except OSError:
            self._refused = True
            return None
        except ValueError as error:
            raise SerializationError(str(error)) from error
        if found is None:
            raise ResultExpired("the value is no longer kept; raise result_expires to keep it longer")
        return found

    def close(self) -> None:
        """Closes the connection; a later use opens a new one."""
        if self._pid != os.getpid():
            self._renew()
        with self._lock:
            self._drop()

    def _use(self, work: Callable[[frames.LaneConnection], T]) -> T:
        if self._pid != os.getpid():
            # The parent's lock may be held by a thread that does not exist here, and its socket is the parent's.
            self._renew()
        with self._lock:
            # Putting or getting twice is harmless, so a connection that has died since its last use costs one retry.
            fresh = self._connection is None
            try:
                return self._once(work)
            except (frames.LaneClosed, OSError):
                if fresh:
                    raise NotConnected("the node's lane cannot be reached or was cut; is the node up?") from None
            try:
                return self._once(work)
            except (frames.LaneClosed, OSError) as error:
                raise NotConnected(f"the node's lane was cut: {error}") from error

    def _once(self, work: Callable[[frames.LaneConnection], T]) -> T:
        try:
            if self._connection is None:
                path, token = self._target()
                self._connection = frames.LaneConnection.open(path, token, "blob", {})
                folder = self._connection.welcome.get("files")
                self._spool = Spool(folder, bool(self._connection.welcome.get("sync"))) if folder else None
            return work(self._connection)
        except frames.LaneRefused as error:
            self._drop()
            if error.code == "NOT_FOUND":
                raise ResultExpired("the value is no longer kept; raise result_expires to keep it longer") from error
            raise from_wire(error.code, str(error), False) from error
        except frames.LaneProtocolError as error:
            self._drop()
            raise GatewayError(f"the lane's answer makes no sense: {error}") from error
        except BaseException:
            # Also for KeyboardInterrupt: half a frame may be on its way, so nobody can use this connection again.
            self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
