"""A whole home in the memory of one process: for tests, examples and trials, without a JVM and without a disk.

It keeps every promise of the real node but one: nothing outlives the process that holds it. Nothing here may be
imported by the way to a real node.
"""

from ignitetasks.transport.memory.transport import MemoryHome, MemoryTransport, forget_home, home_of

__all__ = ["MemoryHome", "MemoryTransport", "forget_home", "home_of"]
