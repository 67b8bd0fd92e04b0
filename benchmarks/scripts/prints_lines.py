"""Prints as many lines as it is told, then writes what that took: `prints_lines.py FILE COUNT`."""

from __future__ import annotations

import sys
import time


def main() -> None:
    """CPU seconds of this process since it was started, and the seconds that the printing took."""
    began = time.perf_counter()
    for number in range(int(sys.argv[2])):
        print(f"step {number} loss 0.0173")
    sys.stdout.flush()
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write(f"{time.process_time()} {time.perf_counter() - began}")


main()
