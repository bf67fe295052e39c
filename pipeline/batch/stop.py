"""Ctrl-C and SIGTERM, remembered until it is a good time to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any, Self


class Stop:
    """Remembers Ctrl-C and SIGTERM instead of acting on them anywhere; a second one acts as usual."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _ask(self, number: int, frame: object) -> None:  # noqa: ARG002 - the signal module's signature
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
