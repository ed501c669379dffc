"""The words a workflow is written in: signatures, chains, groups, chords, maps, chunks, and stamps on them.

This file must only name them.
"""

from ignitetasks.canvas.chains import _chain, chain
from ignitetasks.canvas.chords import _chord, chord
from ignitetasks.canvas.groups import group
from ignitetasks.canvas.mapping import chunks, xmap, xstarmap
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.signature import Signature, maybe_signature, signature, subtask
from ignitetasks.canvas.stamping import GroupStampingVisitor, StampingVisitor

__all__ = [
    "GroupStampingVisitor",
    "Sender",
    "Signature",
    "StampingVisitor",
    "_chain",
    "_chord",
    "chain",
    "chord",
    "chunks",
    "group",
    "maybe_signature",
    "signature",
    "subtask",
    "xmap",
    "xstarmap",
]
