"""Runs command lines one after the other in this process and prints how each ended; started as another user.

python every_command.py REPOSITORY '[["list"], ["doctor", "--json"]]'
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from typing import Any


def main(repository: str, command_lines: list[list[str]]) -> list[dict[str, Any]]:
    sys.path.insert(0, repository)
    from backprop_tui.cli.invocation import run_program

    results = []
    for words in command_lines:
        began, out, err = time.monotonic(), io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_program(words)
        seconds = time.monotonic() - began
        results.append({"words": words, "code": code, "out": out.getvalue(), "err": err.getvalue(), "seconds": seconds})
    return results


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))
