"""Ctrl-C, SIGTERM and a terminal that is closed, remembered until it is a good time to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any, Self

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


class Stop:
    """Remembers such a signal instead of acting on it anywhere; a second one acts as usual.

    A closed terminal that somebody ignores (nohup) stays ignored.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
                if number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) is not signal.SIG_IGN:
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
