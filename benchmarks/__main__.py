"""`python -m benchmarks [NAME...]` runs the benchmarks and prints one table of results."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable

from benchmarks import (
    dashboard_idle,
    dashboard_keys,
    dashboard_start,
    footprint,
    history,
    imports,
    launch,
    log_reading,
    log_view,
    peers,
    scale,
    script_cost,
    slot_gap,
    slurm,
    slurm_queue,
)
from benchmarks.measurement import Plan, Result, table
from benchmarks.sandbox import NotInstalled

BENCHMARKS: dict[str, Callable[[Plan], list[Result]]] = {
    "launch": launch.measure,
    "slot-gap": slot_gap.measure,
    "peers": peers.measure,
    "history": history.measure,
    "scale": scale.measure,
    "script": script_cost.measure,
    "footprint": footprint.measure,
    "imports": imports.measure,
    "reading": log_reading.measure,
    "dashboard-start": dashboard_start.measure,
    "dashboard-idle": dashboard_idle.measure,
    "dashboard-keys": dashboard_keys.measure,
    "dashboard-log": log_view.measure,
    "slurm": slurm.measure,
    "slurm-queue": slurm_queue.measure,
}


def main() -> int:
    """Runs all benchmarks, or only the named ones; returns the exit code."""
    default = Plan()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"one of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument(
        "--rounds", type=int, default=default.rounds, help="how often each measurement is repeated (%(default)s)"
    )
    parser.add_argument(
        "--longest-history",
        metavar="RUNS",
        type=int,
        default=default.longest_history,
        help="number of ended runs in the fullest store (%(default)s)",
    )
    parser.add_argument(
        "--footprint-seconds",
        metavar="S",
        type=float,
        default=default.footprint_seconds,
        help="how long CPU use is measured (%(default)s)",
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; choose from {', '.join(BENCHMARKS)}")
    plan = Plan(
        rounds=options.rounds, longest_history=options.longest_history, footprint_seconds=options.footprint_seconds
    )
    results: list[Result] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # as at SIGINT, nothing is left behind
    try:
        for name in options.names or BENCHMARKS:
            sys.stderr.write(f"{name} ")
            results += BENCHMARKS[name](plan)
            sys.stderr.write("\n")
    except NotInstalled as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(_conditions(plan))
    print(table(results))
    return 0


def _conditions(plan: Plan) -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {plan.rounds} rounds; load at the end {load}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
