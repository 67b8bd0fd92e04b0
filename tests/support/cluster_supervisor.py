"""The supervisor's program on a login node of a test's cluster: nobody shares that, so it asks more often."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from backprop_tui import supervise
    from backprop_tui.engine import slurm_clusters, slurm_queue, supervisor

    slurm_clusters.POLL_SECONDS = supervisor.SUBMITTED_SECONDS = 1.0
    slurm_queue.LATE_SECONDS = 2.0  # no network file system
    slurm_queue.SILENT_SECONDS = 12.0  # a guardian writes something every 10 seconds
    supervise.main(sys.argv[1:])
