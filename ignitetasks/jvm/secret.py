"""Makes the secret of an embedded instance: the key its processes sign pickles with, readable by their user only.

Must not be used for a cluster: there each process has an instance directory of its own, and keys made in them would
differ; the setting ``signing_key`` is for that. What is there already is never replaced: stored results need it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets

from ignitetasks.jvm.spec import EMBEDDED, NodeSpec

_KEY_BYTES = 32


def ensure_secret(spec: NodeSpec) -> None:
    """Writes ``secret.json`` where an embedded instance has none yet.

    Args:
        spec: Which instance; its directory exists.
    """
    final = spec.instance_dir / "secret.json"
    if spec.role != EMBEDDED or final.exists():
        return
    draft = spec.run_dir / f"secret.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"signing_key": secrets.token_hex(_KEY_BYTES)}, file)
            file.flush()
            os.fsync(descriptor)
        # A link, unlike a rename, refuses to replace what another process has written meanwhile.
        with contextlib.suppress(FileExistsError):
            os.link(draft, final)
    finally:
        draft.unlink()
