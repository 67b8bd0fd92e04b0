"""A front end that queues `true` and calls the supervisor: `crashing_front_end.py FOLDER RUN_ID`.

It dies at the place given in the environment.
"""

from __future__ import annotations

import os
import sys


def main(folder: str, run_id: str) -> None:
    from tests.support.crashes import install_from_environment
    from tests.support.sandbox import Sandbox, script

    install_from_environment()
    Sandbox(folder, config=False).submit(*script("worker.py", 1, 0, 0), run_id=run_id)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    main(*sys.argv[1:])
