"""Two fixes of Textual's terminal driver that leave the terminal as it was found. No upstream issue is known.

Mouse: when the terminal reports its size in the input (mode 2048), Textual asks for mouse positions in pixels and never
resets mode 1016. The next program in that terminal would take pixels for cells.

SIGCONT: Textual takes every SIGCONT for the end of its own ctrl+z. After a SIGSTOP from outside it starts application
mode a second time, with two threads reading the keyboard, and can never be left.
"""

from __future__ import annotations

import asyncio
import termios
import tty
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

# The methods to patch are private to Textual.
_disable_mouse = LinuxDriver._disable_mouse_support  # noqa: SLF001
_continue = LinuxDriver._sigcont_application  # noqa: SLF001


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
    loop.call_soon_threadsafe(_repaint, driver._app)  # noqa: SLF001


def _repaint(app: Any) -> None:  # noqa: ANN401 - as above
    app.screen.refresh(repaint=True, layout=True)


def apply() -> None:
    """Patch Textual in this process."""
    LinuxDriver._disable_mouse_support = _disable_mouse_and_pixels  # type: ignore[method-assign, assignment] # noqa: SLF001
    LinuxDriver._sigcont_application = _on_continue  # type: ignore[method-assign, assignment] # noqa: SLF001
