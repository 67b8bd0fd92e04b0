"""Works like a training: `worker.py STEPS SECONDS_PER_STEP EXIT_CODE [FILE]`, a checkpoint half-way.

After its steps it waits until the file exists.
"""

from __future__ import annotations

import json
import os
import sys
import time

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs


def _say(**figures: object) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def main() -> None:
    write_line("begin")
    steps, seconds, code = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    for step in range(1, steps + 1):
        _say(step=step, loss=1 / step)
        if step == steps // 2:
            with open("checkpoint.json", "w", encoding="ascii") as file:
                json.dump({"step": step}, file)
            _say(event="checkpoint_saved", path="checkpoint.json", step=step)
        time.sleep(seconds)
    while not all(map(os.path.exists, sys.argv[4:])):
        time.sleep(0.01)
    write_line(f"end {code}")
    sys.exit(code)


main()
