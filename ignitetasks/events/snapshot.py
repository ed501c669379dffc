"""Takes pictures of a `State` at intervals: subclass `Polaroid`, and run it with `evcam` or ``ignitetasks events -c``.

This file must not store anything: that is the subclass's work.
"""

from __future__ import annotations

import importlib
import math
import threading
import time
from typing import Any

from ignitetasks.errors import ConfigurationError
from ignitetasks.events.state import State
from ignitetasks.rates import rate_text
from ignitetasks.utils.dispatch import Signal

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Polaroid:
    """A camera.

    Args:
        state: What is photographed.
        freq: Seconds between two pictures.
        maxrate: How often at most, such as ``"1/m"``, or a number a second; None for no limit.
        cleanup_freq: Seconds between two calls of `on_cleanup`.
        timer: Accepted and not needed.
        app: The application.

    Attributes:
        clear_after: Forget what has ended after each picture.
        shutter_signal: Sent when a picture is taken, with the state as its sender.
        cleanup_signal: Sent when old ones are to be removed, with the state as its sender.
    """

    clear_after = False
    shutter_signal = Signal(name="shutter_signal")
    cleanup_signal = Signal(name="cleanup_signal")

    def __init__(
        self,
        state: State,
        freq: float = 1.0,
        maxrate: Any = None,
        cleanup_freq: float = 3600.0,
        timer: Any = None,
        app: Any = None,
    ) -> None:
        self.app = app
        self.state = state
        self.freq = freq
        self.cleanup_freq = cleanup_freq
        self.maxrate = maxrate
        self._shortest = _distance(maxrate)
        self._taken = -math.inf
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def on_shutter(self, state: State) -> None:
        """Stores a picture; no event is taken in meanwhile. For subclasses."""

    def on_cleanup(self) -> None:
        """Removes what is old. For subclasses."""

    def shutter(self) -> None:
        """Takes a picture, unless the last one was just taken."""
        now = time.monotonic()
        if now - self._taken >= self._shortest:
            self._taken = now
            self.shutter_signal.send(sender=self.state)
            self.on_shutter(self.state)

    def cleanup(self) -> None:
        """Removes what is old."""
        self.cleanup_signal.send(sender=self.state)
        self.on_cleanup()

    def capture(self) -> None:
        """Takes a picture while no event is taken in."""
        self.state.freeze_while(self.shutter, clear_after=self.clear_after)

    def install(self) -> None:
        """Begins to take pictures, in a thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ignitetasks-camera", daemon=True)
            self._thread.start()

    def cancel(self) -> None:
        """Takes a last picture and ends."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopped.set()
            thread.join()
            self.capture()

    def _run(self) -> None:
        cleaned = time.monotonic()
        while not self._stopped.wait(self.freq):
            self.capture()
            if time.monotonic() - cleaned >= self.cleanup_freq:
                cleaned = time.monotonic()
                self.cleanup()

    def __enter__(self) -> Polaroid:
        self.install()
        return self

    def __exit__(self, *error: Any) -> None:
        self.cancel()


def _distance(maxrate: Any) -> float:
    """Returns the least seconds between two pictures."""
    number, _, unit = rate_text(maxrate, "maxrate").partition("/")
    return _UNIT_SECONDS[unit] / float(number) if number else 0.0


def evcam(camera: Any, freq: float = 1.0, maxrate: Any = None, app: Any = None, **options: Any) -> None:
    """Captures events and lets a camera take pictures, until it is interrupted.

    Args:
        camera: A subclass of `Polaroid`, or where it is: ``module.Class`` or ``module:Class``.
        freq: Seconds between two pictures.
        maxrate: As for `Polaroid`.
        app: The application.
        **options: ``timer``; others are accepted and have no meaning here.
    """
    made = camera_class(camera)
    state = app.events.State()
    receiver = app.events.Receiver(handlers={"*": state.event})
    with made(state, freq=freq, maxrate=maxrate, timer=options.get("timer"), app=app):
        receiver.capture()


def camera_class(camera: Any) -> Any:
    """Returns a camera's class, given itself or where it is.

    Raises:
        ConfigurationError: It is not there.
    """
    if not isinstance(camera, str):
        return camera
    module, _, name = camera.replace(":", ".").rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"there is no camera {camera!r}: {error}") from error
