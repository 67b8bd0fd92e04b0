"""Trains, as `trains.py STEPS SECONDS_PER_STEP SEED`; saves and exits with 0 on SIGINT, as careful scripts do."""

from __future__ import annotations

import json
import signal
import sys
import time

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs

steps, seconds, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
signals: list[int] = []
signal.signal(signal.SIGINT, lambda number, _frame: signals.append(number))
write_line(f"begin {seed}")
for step in range(1, steps + 1):
    print(json.dumps({"step": step, "loss": 1 / step, "seed": seed}), flush=True)
    time.sleep(seconds)
    if signals:
        print("caught SIGINT, saving", flush=True)
        with open(f"seed-{seed}.pt", "wb") as file:
            file.write(b"\x80\x02}.")
        print(json.dumps({"event": "checkpoint_saved", "path": f"seed-{seed}.pt", "step": step}), flush=True)
        write_line(f"saved {seed}")
        sys.exit(0)
write_line(f"end {seed}")
