"""Trains until `backprop_tui.report` says to stop, then saves and ends with 0.

`asks_whether_to_stop.py STEPS [MODE]`; `deaf` asks once and ignores the answer, `ranks` starts two ranks in sessions
of their own, in `over` only a child that has ended has asked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs

from backprop_tui import report


def _record_signal(number: int, _frame: object) -> None:
    write_line(signal.Signals(number).name)
    sys.exit(1)


def _first_step() -> int:
    path = report.resume_from()
    if path is None:
        return 1
    with open(path, encoding="ascii") as file:
        return int(file.read()) + 1


def _train(steps: int, *, hears: bool) -> None:
    for step in range(_first_step(), steps + 1):
        time.sleep(0.01)
        report.step(step, steps, loss=1 / step)
        if report.should_stop() and hears:
            _save(step)
            return
        if step == 1:
            write_line("asked")


def _save(step: int) -> None:
    path = f"step-{step}-of-{os.environ.get('RANK', '0')}"
    with open(path, "w", encoding="ascii") as file:
        file.write(str(step))
    report.checkpoint(path, step)
    write_line("saved")


def _start_ranks(steps: str) -> None:
    command = [sys.executable, "-S", __file__, steps]
    ranks = [
        subprocess.Popen(command, env={**os.environ, "RANK": str(rank)}, start_new_session=True) for rank in range(2)
    ]
    for rank in ranks:
        rank.wait()


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _record_signal)
    steps, way = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    if way == "ranks":
        _start_ranks(steps)
    elif way == "over":
        subprocess.run([sys.executable, "-S", __file__, "1"], check=True)
        time.sleep(60)
    else:
        _train(int(steps), hears=way != "deaf")


main()
