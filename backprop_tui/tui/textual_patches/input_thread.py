"""Waits for input, or for the end: Textual looks ten times a second, and leaving takes up to 0.2 s for that."""

from __future__ import annotations

import os
import select
import signal
import termios
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import Any

from textual._parser import ParseError
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver

from backprop_tui.tui.textual_patches import Patch

_CHUNK = 4096
_PENDING_SECONDS = 0.02  # between two looks whether an escape is a key of its own
_GONE_SECONDS = 0.1  # between two reads from a terminal that is gone


class Wake:
    """Makes the thread look whether it is to end; one for the process, since threads follow each other."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def set(self) -> None:
        os.eventfd_write(self.descriptor, 1)

    def clear(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self.descriptor)


_wake = Wake()


def run_input_thread(driver: Any) -> None:  # noqa: ANN401 - a driver, private attributes included
    """Reads and handles input until `disable_input`."""
    parser = vars(linux_driver)["XTermParser"](driver._debug)  # noqa: SLF001 - the one of `terminal_io`
    decode = getincrementaldecoder("utf-8")().decode
    _wake.clear()  # before the event is looked at, which is set before the wake
    try:
        while not driver.exit_event.is_set():
            is_pending = getattr(parser, "is_pending", True)
            watched = [driver.fileno, _wake.descriptor]
            if driver.fileno in select.select(watched, [], [], _PENDING_SECONDS if is_pending else None)[0]:
                text = decode(content := os.read(driver.fileno, _CHUNK))
                if not content:
                    driver.exit_event.wait(_GONE_SECONDS)
                for message in parser.feed(text) if text else ():
                    driver.process_message(message)
            for message in parser.tick():
                driver.process_message(message)
    finally:
        with suppress(EOFError, ParseError):
            list(parser.feed(""))


def disable_input(driver: Any) -> None:  # noqa: ANN401 - as above
    """Ends the thread, and drops what was typed and not read."""
    if driver.exit_event.is_set():
        return
    with suppress(Exception):  # as Textual does it
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        driver._disable_mouse_support()  # noqa: SLF001
        driver.exit_event.set()
        _wake.set()
        if driver._key_thread is not None:  # noqa: SLF001
            driver._key_thread.join()  # noqa: SLF001
        driver.exit_event.clear()
        with suppress(termios.error):
            termios.tcflush(driver.fileno, termios.TCIFLUSH)


PATCHES = (
    Patch(
        owner=LinuxDriver,
        name="run_input_thread",
        replacement=run_input_thread,
        builds_on=("_run_input_thread", "disable_input", "process_message"),
        sha256="b6ca206b2fb1b97a9812711ebadbc31e8cc68b0204ce81f4ee7bb801b7df8e35",
    ),
    Patch(
        owner=LinuxDriver,
        name="disable_input",
        replacement=disable_input,
        builds_on=("run_input_thread",),
        sha256="dc36489b61396aa696e3da098609cc12803a5436faa74bfb6f82449acc4d4409",
    ),
)
