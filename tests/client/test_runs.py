"""The records of all runs, from the index and their directories."""

from __future__ import annotations

import pytest

from backprop_tui.client import runs as client_runs
from backprop_tui.client.runs import all_records
from backprop_tui.store.home import Home
from backprop_tui.store.index import Records, read_all
from tests.support.indexed import index_all
from tests.support.runs import Runs


def test_a_run_that_is_indexed_while_all_are_read_is_shown_with_its_end(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    guardian = runs.guarded("a")
    index_all(runs.home)
    guardian.ends()

    def read_before_it_is_indexed(home: Home) -> Records:
        records = read_all(home)
        index_all(home)
        return records

    monkeypatch.setattr(client_runs, "read_all", read_before_it_is_indexed)
    assert all_records(runs.home)["a"]["status"] == "completed"
