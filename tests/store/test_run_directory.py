"""The files of a run's directory, when they are not what they should be."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.support.runs import Runs


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path)])
def test_an_environment_that_is_no_file_keeps_no_run_from_ending(runs: Runs, make: Callable[[str], None]) -> None:
    directory = runs.queued("a")
    os.unlink(directory.environment_path)
    make(directory.environment_path)
    directory.delete_environment()
    assert not os.path.lexists(directory.environment_path)
