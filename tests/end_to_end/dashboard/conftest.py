"""Fixtures: dashboards on the store of a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.front_ends import PROGRAM, environment
from tests.support.sandbox import Sandbox
from tests.support.terminal import Terminal

Open = Callable[..., Terminal]


@pytest.fixture
def open_dashboard(sandbox: Sandbox) -> Iterator[Open]:
    """Opens a dashboard with these arguments; it is killed at the end of the test."""
    with ExitStack() as stack:

        def opened(*arguments: str, size: tuple[int, int] = (120, 40), **variables: str) -> Terminal:
            terminal = Terminal(
                (*PROGRAM, *arguments),
                environment=environment(sandbox)
                | {"BACKPROP_HOME": sandbox.home.root, "BACKPROP_HOST": sandbox.home.host}
                | variables,
                cwd=sandbox.folder,
                size=size,
            )
            return stack.enter_context(terminal)

        yield opened
