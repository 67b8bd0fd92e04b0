"""Whether anything on this host is left to do: what a supervisor is for."""

from __future__ import annotations

import os

from backprop_tui.domain.errors import BackpropError
from backprop_tui.store.files import read_object
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory


def has_work(home: Home) -> bool:
    """Whether a run of this host is marked: unfinished, or not yet indexed. Records that cannot be read are no work."""
    try:
        names = os.listdir(home.active)
    except FileNotFoundError:
        return False
    return any(_host_of(home, name) == home.host for name in names)


def _host_of(home: Home, run_id: str) -> object:
    try:
        record = read_object(RunDirectory(home.run_folder(run_id)).record_path)
    except BackpropError:
        return None
    return None if record is None else record.get("host")
