"""Waiting for what happens in other processes, with a deadline instead of a guess."""

import threading
from collections.abc import Callable

from billing_core.clock import monotonic

WAIT_SECONDS = 60
POLL_SECONDS = 0.02


def until(condition: Callable[[], bool], complaint: str, seconds: int = WAIT_SECONDS) -> None:
    """Poll a condition that must become true in time; fails with the complaint otherwise."""
    deadline, pause = monotonic() + seconds, threading.Event()
    while not condition():
        assert monotonic() < deadline, complaint
        pause.wait(POLL_SECONDS)
