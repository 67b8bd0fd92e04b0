"""Prints a step and a loss each second until it is stopped, like a training script."""

from __future__ import annotations

import itertools
import json
import time

for step in itertools.count(1):
    print(json.dumps({"step": step, "total_steps": 100_000, "loss": 2.0 + 1 / step}), flush=True)
    time.sleep(1.0)
