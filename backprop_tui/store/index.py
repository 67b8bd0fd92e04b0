"""experiments.json: the index of all runs, derived from runs/ and rebuilt from there if it is lost.

It holds the unfinished runs and about the newest thousand; older ones move to monthly files of the same form, and
recent.json holds what `list` shows, so that frequent commands do not read the whole history.
"""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from itertools import count

from backprop_tui.domain.errors import AccessDenied, BrokenRecord, StorageFailed
from backprop_tui.domain.formatting import duration
from backprop_tui.domain.status import ENDED
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import dump, parse_object, read_bytes, set_aside, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, wait_for_lock
from backprop_tui.store.original import original_records
from backprop_tui.store.records import SCHEMA_VERSION, with_objective, without_secret_words
from backprop_tui.store.run_directory import RunDirectory

KEPT = 1000
SLACK = 200  # more than KEPT, so that not every new run rewrites a monthly file
RECENT = 50
LOCK_SECONDS = 30.0

Records = dict[str, JsonObject]


def update(home: Home, changed: Mapping[str, JsonObject], removed: Collection[str] = ()) -> None:
    """Adds or replaces `changed` records and drops `removed` ones; concurrent updates lose nothing."""
    with _index_lock(home):
        records = _read_or_rebuild(home)
        records.update(changed)
        for run_id in removed:
            records.pop(run_id, None)
        if removed:
            _remove_from_months(home, removed)
        ended = _newest_first(record for record in records.values() if record["status"] in ENDED)
        if len(ended) > KEPT + SLACK:
            _move_to_months(home, ended[KEPT:])
            for record in ended[KEPT:]:
                del records[str(record["id"])]
        _write(home.index, records)
        _write(home.recent, {str(record["id"]): record for record in ended[:RECENT]})


def read_recent(home: Home) -> Records:
    """Returns the newest ended runs that are indexed; fast, however long the history."""
    try:
        return _read(home.recent) or read_newest(home)
    except BrokenRecord:
        return read_newest(home)


def read_newest(home: Home) -> Records:
    """Returns the content of experiments.json, or of runs/ if it is missing or broken; writes nothing."""
    try:
        records = _read(home.index)
    except BrokenRecord:
        return scan_runs(home)
    return scan_runs(home) if records is None else records


def read_all(home: Home) -> Records:
    """Returns every indexed run, including the monthly files."""
    records: Records = {}
    for path in monthly_files(home):
        try:
            records.update(_read(path) or {})
        except BrokenRecord:
            records.update(scan_runs(home))
    records.update(read_newest(home))
    return records


def scan_runs(home: Home) -> Records:
    """Reads every run directory, without broken ones. Slow: only for a missing or broken index."""
    records: Records = {}
    names = os.listdir(home.runs) if os.path.isdir(home.runs) else []
    for name in names:
        with suppress(BrokenRecord):
            if not name.startswith("."):
                records[name] = RunDirectory(home.run_folder(name)).shown()
    return records


def _index_lock(home: Home) -> Lock:
    lock = wait_for_lock(home.index_lock, seconds=LOCK_SECONDS)
    if lock is None:
        raise StorageFailed(f"{home.index_lock}: held by another process for more than {duration(LOCK_SECONDS)}")
    return lock


def _read_or_rebuild(home: Home) -> Records:
    """Returns the index for an update; a broken one, or one of the original tool, is kept as a copy."""
    content = _content(home.index)
    if content is None:
        return scan_runs(home)
    original = original_records(content)
    if original is not None:
        _keep_copy(home, "original")
        return original | scan_runs(home)
    try:
        return _parse(home.index, content)
    except BrokenRecord:
        _keep_copy(home, f"broken-{int(time.time())}")
        return scan_runs(home)


def _content(path: str) -> bytes | None:
    """The content of a file of the index; an inaccessible one is set aside, since it can be rebuilt."""
    try:
        return read_bytes(path)
    except AccessDenied:
        if not set_aside(path):
            raise
        return read_bytes(path)


def _keep_copy(home: Home, reason: str) -> None:
    """Makes a hard link, so that experiments.json exists at all times."""
    names = (home.replaced_index(reason if number == 1 else f"{reason}-{number}") for number in count(1))
    copy = next(name for name in names if not os.path.exists(name))
    try:
        os.link(home.index, copy)
    except OSError as error:
        raise StorageFailed(f"{copy}: {error.strerror}; the old index is not replaced without a copy") from error


def _read(path: str) -> Records | None:
    content = _content(path)
    if content is None:
        return None
    original = original_records(content)
    return _parse(path, content) if original is None else original


def _parse(path: str, content: bytes) -> Records:
    source = parse_object(path, content)
    records = source.get("experiments")
    if source.get("schema_version") != SCHEMA_VERSION or not isinstance(records, dict):
        raise BrokenRecord(path, f"schema_version {source.get('schema_version')!r} is not {SCHEMA_VERSION}")
    return {
        key: without_secret_words(with_objective(record))
        for key, record in records.items()
        if isinstance(record, dict) and record.get("id") == key and isinstance(record.get("status"), str)
    }


def _write(path: str, records: Records) -> None:
    write_atomically(path, dump({"schema_version": SCHEMA_VERSION, "experiments": records}), durable=True)


def read_month(path: str) -> Records:
    """Returns the runs of one of `monthly_files`; none if it is damaged."""
    try:
        return _read(path) or {}
    except BrokenRecord:
        return {}


def _newest_first(records: Iterable[JsonObject]) -> list[JsonObject]:
    return sorted(records, key=lambda record: str(record.get("created_at") or ""), reverse=True)


def monthly_files(home: Home) -> list[str]:
    """The files of runs that the index no longer has, the oldest month first."""
    return sorted(glob.glob(Home(glob.escape(home.root), home.host).monthly_index("[0-9][0-9][0-9][0-9]-[0-9][0-9]")))


def _move_to_months(home: Home, records: Iterable[JsonObject]) -> None:
    """Moves records to monthly files before the index drops them; after a crash in between they are in both."""
    months: dict[str, Records] = {}
    for record in records:
        created = str(record.get("created_at") or "")
        month = created[:7] if re.fullmatch(r"\d{4}-\d{2}", created[:7]) else "1970-01"
        months.setdefault(month, {})[str(record["id"])] = record
    for month, moved in months.items():
        path = home.monthly_index(month)
        try:
            old = _read(path) or {}
        except BrokenRecord:
            os.rename(path, f"{path}.broken-{int(time.time())}")
            old = {}
        _write(path, old | moved)


def _remove_from_months(home: Home, removed: Collection[str]) -> None:
    for path in monthly_files(home):
        with suppress(BrokenRecord):  # an unreadable file lists no run
            records = _read(path) or {}
            kept = {run_id: record for run_id, record in records.items() if run_id not in removed}
            if len(kept) < len(records):
                _write(path, kept)
