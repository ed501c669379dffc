"""Frames and msgpack of the gateway protocol: what crosses from Python to the node, byte by byte.

frame = ``IT`` + u8 version + u8 status (0 request or answer, 1 error) + u32be length + u32be crc32 + payload.
This file must not open sockets or know operations; golden files in ``tests/protocol/golden`` hold it and the
Java side together.
"""

from __future__ import annotations

import struct
from typing import Any
from zlib import crc32

import msgpack

from ignitetasks.errors import GatewayError, UnsupportedVersion

VERSION = 1
STATUS_OK = 0
STATUS_ERROR = 1
MAX_FRAME_BYTES = 8 * 1024 * 1024
_HEADER = struct.Struct(">2sBBII")
_MAGIC = b"IT"
_header = _HEADER.pack
_packb = msgpack.packb


def pack(value: Any) -> bytes:
    """Encodes a protocol value (positional lists of numbers, texts and bytes)."""
    return _packb(value)  # type: ignore[no-any-return]


def unpack(data: bytes | memoryview) -> Any:
    """Decodes a protocol value.

    Raises:
        GatewayError: The bytes are not one msgpack value.
    """
    try:
        return msgpack.unpackb(data, strict_map_key=False)
    except Exception as error:
        raise GatewayError("the gateway's answer cannot be decoded; client and node may differ in version") from error


def encode_frame(payload: bytes, status: int = STATUS_OK) -> bytes:
    """Wraps a payload.

    Args:
        payload: msgpack bytes.
        status: 0, or 1 for an error answer.
    """
    return _header(_MAGIC, VERSION, status, len(payload), crc32(payload)) + payload


def decode_frame(data: bytes) -> tuple[int, memoryview]:
    """Checks and opens a frame.

    Args:
        data: One whole frame, nothing before or after.

    Returns:
        The status and a view of the payload.

    Raises:
        UnsupportedVersion: The frame has another version.
        GatewayError: The frame is cut, too long, or damaged.
    """
    if len(data) < _HEADER.size:
        raise GatewayError(f"the gateway's answer is cut: {len(data)} bytes are no frame")
    magic, version, status, length, checksum = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise GatewayError("the gateway's answer is no ignitetasks frame; is another program on its port?")
    if version != VERSION:
        raise UnsupportedVersion(f"the node speaks frame version {version}, this client {VERSION}; upgrade the older")
    if status not in (STATUS_OK, STATUS_ERROR):
        raise GatewayError(f"the gateway's answer has the unknown status {status}")
    payload = memoryview(data)[_HEADER.size :]
    if length != len(payload):
        raise GatewayError(f"the gateway's answer is cut: {len(payload)} of {length} bytes")
    if crc32(payload) != checksum:
        raise GatewayError("the gateway's answer is damaged: the checksum differs")
    return status, payload
