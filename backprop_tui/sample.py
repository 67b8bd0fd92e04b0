"""The sampler's process, started by path; sys.path must not begin with this folder, whose names are ours alone."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    from backprop_tui.probes.sampler import main

    main(sys.argv[1:])
