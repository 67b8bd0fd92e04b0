"""Workarounds in what Textual reads from the terminal and writes to it; upstream knows an issue for none of them.

Mouse: when the terminal reports its size in the input (mode 2048), Textual asks for mouse positions in pixels and never
resets mode 1016. The next program in that terminal would take pixels for cells.

SIGCONT: Textual takes every SIGCONT for the end of its own ctrl+z. After a SIGSTOP from outside it starts application
mode a second time, with two threads reading the keyboard, and can never be left.

Input: Textual turns an escape sequence that it does not know into key presses, letter by letter (since its pull request
#570): a late answer to our question for the background color would press a dozen keys.
"""

from __future__ import annotations

import asyncio
import re
import termios
import tty
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from textual._xterm_parser import XTermParser  # private to Textual, as are the patched methods
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from backprop_tui.tui.textual_patches import Patch, apply_patches, input_thread, rendering

_disable_mouse = LinuxDriver._disable_mouse_support  # noqa: SLF001
_continue = LinuxDriver._sigcont_application  # noqa: SLF001
_ANSWERS = re.compile("\x1b\\]11;[^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b\\[\\?[0-9;]*c")
_IDENTITY_END = "c"
# The start of an answer. No key sends it, so the parser can wait for the rest.
_PARTIAL_ANSWER = re.compile("(?:\x1b\\]11;[^\x07\x1b]*\x1b?|\x1b\\[\\?[0-9;]*)$")


def apply(typed: bytes, note_answer: Callable[[], None] | None = None) -> None:
    """Patch Textual in this process; `typed` are the bytes typed before the start.

    `note_answer` is called when the device attributes, the last answer to our question, arrive.
    """
    FilteredParser.typed = typed.decode(errors="ignore").replace("\n", "\r")  # as a terminal in line mode changed enter
    FilteredParser.note_answer = note_answer
    apply_patches((*PATCHES, *rendering.PATCHES, *input_thread.PATCHES))


def _disable_mouse_and_pixels(driver: Any) -> None:  # noqa: ANN401 - a driver, private attributes included
    if driver._mouse_pixels:  # noqa: SLF001
        driver.write("\x1b[?1016l")
    _disable_mouse(driver)


def _on_continue(driver: Any, *signal_arguments: Any) -> None:  # noqa: ANN401 - as above
    if driver._must_signal_resume:  # noqa: SLF001 - set when Textual suspended itself
        _continue(driver, *signal_arguments)
        return
    try:
        attributes = termios.tcgetattr(driver.fileno)
        attributes[tty.LFLAG] = driver._patch_lflag(attributes[tty.LFLAG])  # noqa: SLF001
        attributes[tty.IFLAG] = driver._patch_iflag(attributes[tty.IFLAG])  # noqa: SLF001
        termios.tcsetattr(driver.fileno, termios.TCSANOW, attributes)  # a shell may have changed them meanwhile
        loop = asyncio.get_running_loop()
    except (termios.error, RuntimeError):  # no terminal, or the application is not running yet
        return
    loop.call_soon_threadsafe(driver._app.post_message, driver.SignalResume())  # noqa: SLF001


class FilteredParser(XTermParser):
    """Parser of terminal input; `typed` is handled as if it were the first input."""

    typed = ""
    note_answer: ClassVar[Callable[[], None] | None] = None

    def __init__(self, debug: bool = False) -> None:  # noqa: FBT001, FBT002 - Textual's signature
        super().__init__(debug)
        self._partial = ""
        self._early, FilteredParser.typed = FilteredParser.typed, ""

    @property
    def is_pending(self) -> bool:
        """Whether `tick` has something to do before more is typed."""
        return bool(self._early) or getattr(self, "_timeout_time", 0.0) is not None

    def tick(self) -> Iterable[Message]:
        """Yields the keys typed before the start, then what Textual has pending."""
        if self._early:
            early, self._early = self._early, ""
            yield from self.feed(early)
        yield from super().tick()

    def feed(self, data: str) -> Iterable[Message]:
        """Yields the messages of everything but answers; empty data means the end of the input."""
        if data:
            data = _ANSWERS.sub(self._drop, self._early + self._partial + data)
            self._early = ""
            match = _PARTIAL_ANSWER.search(data)
            self._partial = match[0] if match else ""
            data = data[: len(data) - len(self._partial)]
            if not data:
                return
        yield from super().feed(data)

    def _drop(self, answer: re.Match[str]) -> str:
        if answer[0].endswith(_IDENTITY_END) and FilteredParser.note_answer is not None:
            FilteredParser.note_answer()
        return ""


PATCHES = (
    Patch(
        owner=LinuxDriver,
        name="_disable_mouse_support",
        replacement=_disable_mouse_and_pixels,
        builds_on=("_enable_mouse_pixels",),
        sha256="7aa636d72c4e198e863fc5407c28359161132cffcbe5b111f6b512d6ecf09e42",
    ),
    Patch(
        owner=LinuxDriver,
        name="_sigcont_application",
        replacement=_on_continue,
        builds_on=("__init__", "_patch_lflag", "_patch_iflag"),
        sha256="3cd78e5f77e808a3e9477333b4e2f841752daf3a4d189bddc3c10a9822234bf5",
    ),
    Patch(
        owner=linux_driver,
        name="XTermParser",
        replacement=FilteredParser,
        sha256="fc1e32fb7a4ae5a008629a8fc7b6b1cc4a4f98280156ad6b171d16027eecd926",
    ),
)
