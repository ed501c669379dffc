"""What the command ``ignitetasks`` calls: Ctrl-C ends it quietly also while it is being loaded.

It lies beside the package, since importing any part of that loads most of it. This file must not do anything else.
"""

from __future__ import annotations

import importlib
import sys


def main() -> int:
    """Loads the command line and runs it.

    Returns:
        The exit code; 130 when Ctrl-C came first.
    """
    try:
        code: int = importlib.import_module("ignitetasks.cli").main()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return code
