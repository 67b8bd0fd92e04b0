"""The command on a login node of a test's cluster: it starts `cluster_supervisor`."""

from __future__ import annotations

import sys

from backprop_tui.launchers import supervisor_process
from backprop_tui.main import program
from tests.support import cluster_supervisor

if __name__ == "__main__":
    supervisor_process._PROGRAM = cluster_supervisor.__file__
    sys.exit(program())
