"""Descendants, with and without the kernel's lists of children."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import IO

import pytest

from backprop_tui.processes import tree
from backprop_tui.processes.tree import children, descendants, lists_children


@pytest.fixture(params=[True, False], ids=["listed", "searched"])
def family(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A child of this process in a session of its own, and its child."""

    def open_without_children(path: str, mode: str) -> IO[bytes]:
        raise FileNotFoundError(path, mode)

    lists_children.cache_clear()
    if not request.param:
        monkeypatch.setattr(tree, "open", open_without_children, raising=False)
    command = ["sh", "-c", "sleep 60 & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        yield process.pid, grandchild
        os.kill(grandchild, 9)
    lists_children.cache_clear()


def test_the_kernel_lists_children_or_they_are_searched(family: tuple[int, int]) -> None:
    child, grandchild = family
    assert child in children(os.getpid())
    assert children(child) == [grandchild]
    pids = descendants(os.getpid())
    assert pids.index(child) < pids.index(grandchild)
    assert descendants(grandchild) == children(2**22 + 1) == []
