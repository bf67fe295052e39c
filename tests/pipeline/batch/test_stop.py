"""Signals that stop a batch."""

from __future__ import annotations

import signal

import pytest

from retarget.pipeline.batch.stop import Stop


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_it_is_remembered_and_the_next_acts_as_usual(name: str) -> None:
    number, seen = getattr(signal, name), []
    before = signal.signal(number, lambda *_: seen.append(number))
    try:
        with Stop() as stop:
            signal.raise_signal(number)
            assert stop.asked
            assert seen == []
            signal.raise_signal(number)
            assert seen == [number]
    finally:
        signal.signal(number, before)


def test_under_nohup_a_closed_terminal_is_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            signal.raise_signal(signal.SIGHUP)
        assert not stop.asked
    finally:
        signal.signal(signal.SIGHUP, before)
