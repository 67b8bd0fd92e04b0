"""A small JSON file in which the dashboard remembers something between two starts."""

from __future__ import annotations

from contextlib import suppress

from backprop_tui.domain.errors import BackpropError
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import dump, read_object, write_atomically
from backprop_tui.store.home import Home


class StateFile:
    """A file that cannot be read counts as empty, and one that cannot be written is left as it is."""

    def __init__(self, home: Home, path: str) -> None:
        self._home, self._path = home, path

    def read(self) -> JsonObject:
        try:
            return read_object(self._path) or {}
        except BackpropError:
            return {}

    def write(self, record: JsonObject) -> None:
        """Replaces the content, unless the store belongs to another user."""
        with suppress(BackpropError):
            self._home.require_own()
            write_atomically(self._path, dump(record), durable=False)
