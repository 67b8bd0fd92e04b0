"""Simulates a training that fails because its model is too large for the (simulated) GPU."""

from __future__ import annotations

import sys
import time


class OutOfMemoryError(RuntimeError):
    """Has the same name as PyTorch's exception."""


def main() -> None:
    """Trains for a few steps, then fails."""
    for step in range(1, int(sys.argv[1]) + 1):
        print(f"step={step} loss={6.2 - step / 20:.4f}", flush=True)
        time.sleep(0.25)
    raise OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.99 GiB of which 1.12 GiB is "
        "free. Including non-PyTorch memory, this process has 22.87 GiB memory in use."
    )


if __name__ == "__main__":
    main()
