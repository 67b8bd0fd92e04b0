"""The program of a Slurm job: `python -I -S slurm_job.py ROOT RUN NUMBER CONFIG`, with the standard library alone."""

from __future__ import annotations

import gc
import os
import sys


def main(arguments: list[str]) -> int:
    """Carries the run on this node; returns the exit code of the job."""
    gc.disable()  # loading modules creates no garbage, and looking for some takes a tenth of the time
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    import backprop_tui.domain.lazy_dataclass  # noqa: F401 - first, since it loads `dataclasses` faster
    from backprop_tui.node.job import Job, JobEnvironment

    gc.freeze()  # a collection in a forked child would copy every page that it shares with this process
    gc.enable()
    root, run_id, _number, config_path = arguments
    return Job(JobEnvironment.of(os.environ), root, run_id, config_path).carry()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
