"""`python -m benchmarks [NAME...]`: measures, and prints one table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable

from benchmarks import (
    dashboard_idle,
    dashboard_start,
    footprint,
    launch,
    light_commands,
    log_reading,
    log_view,
    long_history,
    script_cost,
    slot_gap,
)
from benchmarks.figures import Figure, table
from benchmarks.place import NotInstalled
from benchmarks.plan import Plan

BENCHMARKS: dict[str, Callable[[Plan], list[Figure]]] = {
    "launch": launch.measure,
    "slot-gap": slot_gap.measure,
    "history": long_history.measure,
    "script": script_cost.measure,
    "footprint": footprint.measure,
    "imports": light_commands.measure,
    "reading": log_reading.measure,
    "dashboard-start": dashboard_start.measure,
    "dashboard-idle": dashboard_idle.measure,
    "dashboard-log": log_view.measure,
}


def main() -> int:
    """All of them, or those that are named."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--rounds", type=int, default=usual.rounds, help="of each measurement (%(default)s)")
    parser.add_argument(
        "--longest-history", metavar="RUNS", type=int, default=usual.longest_history, help="%(default)s runs"
    )
    parser.add_argument(
        "--footprint-seconds", metavar="S", type=float, default=usual.footprint_seconds, help="%(default)s s"
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    plan = Plan(
        rounds=options.rounds, longest_history=options.longest_history, footprint_seconds=options.footprint_seconds
    )
    figures: list[Figure] = []
    try:
        for name in options.names or BENCHMARKS:
            sys.stderr.write(f"{name} ...\n")
            figures += BENCHMARKS[name](plan)
    except NotInstalled as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(_conditions(plan))
    print(table(figures))
    return 0


def _conditions(plan: Plan) -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {plan.rounds} rounds; load at the end {load}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
