"""Entry point of the sampler, started by path: replaces this folder at the front of sys.path with its parent."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    import backprop_tui.domain.lazy_dataclass  # noqa: F401 - first, since it loads `dataclasses` faster
    from backprop_tui.probes.sampler import main

    main(sys.argv[1:])
