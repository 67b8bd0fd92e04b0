"""Prints ten JSON lines a second until it is ended, as a training script that tells much."""

from __future__ import annotations

import itertools
import json
import time

for step in itertools.count():
    print(json.dumps({"step": step, "loss": 1 / (1 + step), "lr": 3e-4, "accuracy": 0.5}), flush=True)
    time.sleep(0.1)
