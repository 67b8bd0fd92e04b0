"""A front end that submits many runs that do nothing: `submitting.py FOLDER COUNT KEY`.

With a key, all such processes together submit one run. Prints the ids of the runs.
"""

from __future__ import annotations

import os
import sys


def main(folder: str, count: str, key: str) -> None:
    from backprop_tui.store.creation import Submission
    from tests.support.sandbox import Sandbox

    sandbox = Sandbox(folder, config=False)
    if not key:
        for _ in range(int(count)):
            sys.stdout.write(f"{sandbox.submit('/bin/true').id}\n")
        return
    with Submission(sandbox.home, key) as submission:
        ids = submission.earlier()
        if not ids:
            ids = [sandbox.new_id()]
            submission.record(ids)
            sandbox.submit("/bin/true", run_id=ids[0])
    sys.stdout.write(f"{ids[0]}\n")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    main(*sys.argv[1:])
