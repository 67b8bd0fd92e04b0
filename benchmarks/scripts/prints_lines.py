"""`prints_lines.py FILE COUNT` prints lines, then writes its CPU time and the time of the printing to a file."""

from __future__ import annotations

import sys
import time


def main() -> None:
    start = time.perf_counter()
    for number in range(int(sys.argv[2])):
        print(f"step {number} loss 0.0173")
    sys.stdout.flush()
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write(f"{time.process_time()} {time.perf_counter() - start}")


main()
