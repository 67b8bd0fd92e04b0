"""Real front ends of a sandbox: `backprop-tui --no-ui run ...` as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.sandbox import Sandbox, Submitted

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = (sys.executable, "-m", "backprop_tui")


def environment(sandbox: Sandbox) -> dict[str, str]:
    """The environment of a shell that can find the program, and the doubles that the test has installed."""
    paths = filter(None, (ROOT, os.environ.get("PYTHONPATH")))
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths), "LEDGER": sandbox.ledger.path}


class FrontEnd:
    """A command that follows the run it queued."""

    def __init__(self, sandbox: Sandbox, *command: str, options: tuple[str, ...] = ()) -> None:
        self.run = sandbox.submitted(sandbox.new_id())
        options = ("--run-id", self.run.id, "--launcher", sandbox.launcher, *options)
        arguments = (*PROGRAM, "--no-ui", "run", *options, "--", *command)
        self.process = subprocess.Popen(
            arguments,
            cwd=sandbox.folder,
            env=environment(sandbox),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait_until_queued(self) -> Submitted:
        """The run that it queued."""
        sandbox = self.run.sandbox
        sandbox.wait_until(lambda: os.path.exists(self.run.directory.path), "the front end queued its run")
        return self.run

    def end(self) -> tuple[int, bytes, bytes]:
        """Its exit code, and what it wrote to stdout and stderr."""
        output, errors = self.process.communicate(timeout=60)
        return self.process.returncode, output, errors
