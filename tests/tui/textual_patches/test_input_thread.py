"""The thread that reads the keyboard: it waits without looking again and again, and ends at once."""

from __future__ import annotations

import os
import queue
import select
import signal
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
from textual import events
from textual.drivers import linux_driver
from textual.message import Message

from backprop_tui.tui.textual_patches.input_thread import disable_input, run_input_thread
from backprop_tui.tui.textual_patches.terminal_io import FilteredParser

PATIENCE_SECONDS = 10


class Driver:
    """What the thread uses of Textual's driver."""

    _debug = False

    def __init__(self, fileno: int) -> None:
        self.fileno = fileno
        self.exit_event = Event()
        self.messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.process_message = self.messages.put
        self._key_thread: Thread | None = None

    def _disable_mouse_support(self) -> None:
        """There is none."""

    def start(self) -> Thread:
        self._key_thread = Thread(target=run_input_thread, args=(self,), daemon=True)
        self._key_thread.start()
        return self._key_thread

    def key(self) -> str:
        message = self.messages.get(timeout=PATIENCE_SECONDS)
        assert isinstance(message, events.Key)
        return message.key


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Driver, int]]:
    monkeypatch.setattr(linux_driver, "XTermParser", FilteredParser)
    before = signal.getsignal(signal.SIGWINCH)
    reader, writer = os.pipe()
    driver = Driver(reader)
    yield driver, writer
    disable_input(driver)
    signal.signal(signal.SIGWINCH, before)
    os.close(reader)
    os.close(writer)


def test_keys_arrive_and_an_escape_that_nothing_follows_is_a_key(terminal: tuple[Driver, int]) -> None:
    driver, writer = terminal
    driver.start()
    os.write(writer, "aä".encode())
    assert [driver.key(), driver.key()] == ["a", "ä"]
    os.write(writer, b"\x1b")
    assert driver.key() == "escape"
    os.write(writer, b"\x1b[A")
    assert driver.key() == "up"


def test_keys_typed_before_the_start_are_not_kept_back(terminal: tuple[Driver, int]) -> None:
    driver, _ = terminal
    FilteredParser.typed = "x"
    driver.start()
    assert driver.key() == "x"


def test_it_waits_until_there_is_something_and_ends_at_once(
    terminal: tuple[Driver, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, writer = terminal
    waits: queue.SimpleQueue[float | None] = queue.SimpleQueue()
    real = select.select

    def noting(*arguments: Any) -> Any:
        waits.put(arguments[3])
        return real(*arguments)

    monkeypatch.setattr(select, "select", noting)
    thread = driver.start()
    os.write(writer, b"a")
    assert driver.key() == "a"
    assert waits.get(timeout=PATIENCE_SECONDS) is None
    assert waits.get(timeout=PATIENCE_SECONDS) is None
    disable_input(driver)
    assert not thread.is_alive()
    assert waits.empty()


def test_another_thread_can_follow_as_after_a_suspension(terminal: tuple[Driver, int]) -> None:
    driver, writer = terminal
    for key in "abc":
        thread = driver.start()
        os.write(writer, key.encode())
        assert driver.key() == key
        disable_input(driver)
        assert not thread.is_alive()
        assert not driver.exit_event.is_set()


def test_a_terminal_that_is_gone_takes_no_time(terminal: tuple[Driver, int]) -> None:
    driver, _ = terminal
    waited: list[float | None] = []
    wait = driver.exit_event.wait

    def noting(timeout: float | None = None) -> bool:
        waited.append(timeout)
        return wait(0.001)

    driver.exit_event.wait = noting  # type: ignore[method-assign]
    null = os.open(os.devnull, os.O_RDONLY)  # at its end, and always readable
    driver.fileno, pipe = null, driver.fileno
    thread = driver.start()
    while not waited:
        assert thread.is_alive()
    disable_input(driver)
    os.close(null)
    driver.fileno = pipe
    assert set(waited) == {0.1}
