"""The columns and the order that the user chose for the runs list, remembered by a small file of the store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field

from backprop_tui.domain.errors import BrokenRecord, StorageFailed
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.presentation.run_fields import field_of
from backprop_tui.store.files import dump, read_object, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.tui.panes.run_order import RunSort


@lazy_dataclass(slots=True, kw_only=True)
class ListChoices:
    """`columns` has those that are shown (True) or hidden (False) other than by default; `sort` None: default order."""

    columns: dict[str, bool] = field(default_factory=dict)
    sort: RunSort | None = None

    def copy(self) -> ListChoices:
        return ListChoices(columns=dict(self.columns), sort=self.sort)


class ListChoicesFile:
    """If it cannot be read or written, only the choices are lost."""

    def __init__(self, home: Home) -> None:
        self._home, self._path = home, home.list_choices
        self._noted = ListChoices()

    def read(self) -> ListChoices:
        try:
            record = read_object(self._path) or {}
        except BrokenRecord:
            record = {}
        columns, sort = record.get("columns"), record.get("sort")
        known = {str(key): shown is True for key, shown in columns.items()} if isinstance(columns, dict) else {}
        choices = ListChoices(columns=known)
        if isinstance(sort, dict) and field_of(str(sort.get("key"))) is not None:
            choices.sort = RunSort(key=str(sort["key"]), largest_first=sort.get("largest_first") is True)
        self._noted = choices.copy()
        return choices

    def note(self, choices: ListChoices) -> None:
        """Writes them if they changed."""
        if choices == self._noted or self._home.foreign_owner() is not None:
            return
        self._noted = choices.copy()
        sort = choices.sort
        record = {
            "columns": choices.columns,
            "sort": None if sort is None else {"key": sort.key, "largest_first": sort.largest_first},
        }
        with suppress(StorageFailed):
            write_atomically(self._path, dump(record), durable=False)
