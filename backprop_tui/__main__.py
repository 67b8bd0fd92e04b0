"""Entry point of `python -m backprop_tui`."""

from __future__ import annotations

from backprop_tui.main import program

if __name__ == "__main__":
    program()
