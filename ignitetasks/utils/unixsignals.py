"""Numbers of Unix signals by the names that revokes carry. This file must not send any."""

from __future__ import annotations

import signal


def number_of(name: str) -> signal.Signals:
    """Returns a signal by its name, with or without ``SIG``; SIGTERM for a name that this machine does not know."""
    found: signal.Signals = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", signal.SIGTERM)
    return found
