"""A patch of Textual 8.2.8: where it switched the mouse's reports to pixels, it switches them back when it leaves.

It asks for pixels of terminals that report their size within the input (mode 2048), and leaves mode 1016 set: what runs
in that terminal next would take pixels for cells.
"""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver

_disable = LinuxDriver._disable_mouse_support  # noqa: SLF001 - the patch is for what is behind the public interface


def _disable_with_pixels(driver: LinuxDriver) -> None:
    if driver._mouse_pixels:  # noqa: SLF001
        driver.write("\x1b[?1016l")
    _disable(driver)


def apply() -> None:
    """From now on, in this process."""
    LinuxDriver._disable_mouse_support = _disable_with_pixels  # type: ignore[method-assign, assignment] # noqa: SLF001
