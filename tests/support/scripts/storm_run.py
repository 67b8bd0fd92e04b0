"""A run of the storm: `storm_run.py KIND STEPS CODE`. It writes its truth into the ledger, see tests/torture/storm.py.

It holds a lock of its own and one for each GPU that it was given, until it and its children are dead: who finds one
held says so. The kernel releases them, whatever kills the script.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs

STEP_SECONDS = 0.03
HOSTILE = (
    b"\x1b]52;c;QQ==\x07\x1b[2J\x9b31m\xff\xfe\n",
    b'{"step": 1e999, "loss": NaN}\n{"step": -5, "loss": "x"}\n{"event": "checkpoint_saved"}\n',
    b'{"event": "checkpoint_saved", "path": "../../../etc/passwd", "step": 99999999999999999999}\n' * 300,
    b"".join(b"\r%3d%%|#| %d/9999 [00:00<00:00, 1.00it/s]" % (n % 101, n) for n in range(3000)),
    b"x" * 300_000,
    b"\nloss: nan\nepoch 3/2 step 7/0 loss=inf\n" * 100,
)


def hold(path: str) -> None:
    """Takes a lock for as long as this process or a child of it lives."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        write_line(f"held {os.path.basename(path)}")


def print_steps(steps: int) -> None:
    """As a training does."""
    for step in range(1, steps + 1):
        os.write(1, json.dumps({"step": step, "loss": 1 / step}).encode() + b"\n")
        time.sleep(STEP_SECONDS)


def leave_family() -> None:
    """A child and a grandchild in sessions of their own, which have to be ended."""
    for deaf in (False, True):
        if os.fork() == 0:
            os.setsid()
            if deaf:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)


def damage(folder: str, how: int) -> None:
    """Damages the directory of this run."""
    if how == 0:
        os.chmod(folder, 0)
    elif how == 1:
        os.unlink(f"{folder}/lock")
        os.unlink(f"{folder}/script.lock")
    else:
        os.unlink(f"{folder}/run.json")
        if how == 2:
            os.mkfifo(f"{folder}/run.json")


def main(kind: str, steps: int, code: int) -> None:
    gpus = [uuid for uuid in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if uuid]
    write_line(f"begin {' '.join(gpus)}".rstrip())
    for name in (os.environ["BACKPROP_RUN_ID"], *gpus):
        hold(f"{os.environ['LEDGER']}.{name}")
    if kind == "deaf":
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    if kind == "loud":
        for some in HOSTILE:
            os.write(1, some)
    print_steps(steps)
    if kind == "vandal":
        damage(os.environ["BACKPROP_RUN_DIR"], code % 4)
    if kind in ("endless", "deaf", "vandal"):
        print_steps(1_000_000)
    if kind == "family":
        leave_family()
    write_line(f"end {code}")
    os._exit(code)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
