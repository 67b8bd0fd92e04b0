"""The supervisor's program; it, its fork server or a guardian dies at the place given in the environment.

Supervisors started by its guardians are the real program, without crashes.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from backprop_tui import supervise
    from tests.support.crashes import install_from_environment

    install_from_environment()
    supervise.main(sys.argv[1:])
