"""Two patches of Textual 8.2.8's driver, for terminals that are left as they were found.

It asks for the mouse in pixels of terminals that report their size within the input (mode 2048), and leaves mode 1016
set: what runs in that terminal next would take pixels for cells. And it takes every SIGCONT for the end of a ctrl+z of
its own: after a SIGSTOP from outside it begins a second time, with two threads at the keyboard, and never ends.
"""

from __future__ import annotations

import asyncio
import termios
import tty
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

# The patches are for what is behind the public interface.
_disable_mouse = LinuxDriver._disable_mouse_support  # noqa: SLF001
_continue = LinuxDriver._sigcont_application  # noqa: SLF001


def _disable_mouse_and_pixels(driver: Any) -> None:  # noqa: ANN401 - a driver, its inside included
    if driver._mouse_pixels:  # noqa: SLF001
        driver.write("\x1b[?1016l")
    _disable_mouse(driver)


def _continued(driver: Any, *of_signal: Any) -> None:  # noqa: ANN401 - as above
    if driver._must_signal_resume:  # noqa: SLF001 - set where it suspended itself
        _continue(driver, *of_signal)
        return
    try:
        attributes = termios.tcgetattr(driver.fileno)
        attributes[tty.LFLAG] = driver._patch_lflag(attributes[tty.LFLAG])  # noqa: SLF001
        attributes[tty.IFLAG] = driver._patch_iflag(attributes[tty.IFLAG])  # noqa: SLF001
        termios.tcsetattr(driver.fileno, termios.TCSANOW, attributes)  # a shell may have had it meanwhile
        loop = asyncio.get_running_loop()
    except (termios.error, RuntimeError):  # no terminal, or nothing is shown yet
        return
    loop.call_soon_threadsafe(_paint_again, driver._app)  # noqa: SLF001


def _paint_again(app: Any) -> None:  # noqa: ANN401 - as above
    app.screen.refresh(repaint=True, layout=True)


def apply() -> None:
    """From now on, in this process."""
    LinuxDriver._disable_mouse_support = _disable_mouse_and_pixels  # type: ignore[method-assign, assignment] # noqa: SLF001
    LinuxDriver._sigcont_application = _continued  # type: ignore[method-assign, assignment] # noqa: SLF001
