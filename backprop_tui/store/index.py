"""experiments.json: the index of all runs, derived from runs/ and rebuilt from there if it is lost.

It holds the unfinished runs and about the newest thousand; older ones move to monthly files of the same form, and
recent.json holds what `list` shows, so that frequent commands do not read the whole history.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from itertools import count

from backprop_tui import __version__
from backprop_tui.domain.errors import BrokenRecord, StorageFailed
from backprop_tui.domain.formatting import duration, shortened
from backprop_tui.domain.status import ENDED
from backprop_tui.store.fields import JsonObject, WrongField
from backprop_tui.store.files import dump, parse_object, read_bytes, set_aside, unused_name, write_atomically
from backprop_tui.store.home import RUN_ID, Home
from backprop_tui.store.locks import Lock, wait_for_lock
from backprop_tui.store.original import original_records
from backprop_tui.store.public_shape import checked
from backprop_tui.store.records import SCHEMA_VERSION
from backprop_tui.store.run_directory import RunDirectory

KEPT = 1000
SLACK = 200  # more than KEPT, so that not every new run rewrites a monthly file
RECENT = 50
LOCK_SECONDS = 30.0
ORIGINAL = "original"  # in the names of copies of the original tool's file

MAX_INDEX_BYTES = 1 << 30  # a month of a hundred thousand runs has some hundred million

Records = dict[str, JsonObject]


def update(home: Home, changed: Mapping[str, JsonObject], removed: Collection[str] = ()) -> None:
    """Adds or replaces `changed` records and drops `removed` ones; concurrent updates lose nothing.

    Records that cannot be read stay in the file as they are.
    """
    with _index_lock(home):
        records, unreadable = _read_or_rebuild(home)
        records.update(changed)
        for run_id in removed:
            records.pop(run_id, None)
            unreadable.pop(run_id, None)
        if removed:
            _remove_from_months(home, removed)
        ended = _newest_first(record for record in records.values() if record["status"] in ENDED)
        if len(ended) > KEPT + SLACK:
            _move_to_months(home, ended[KEPT:])
            for record in ended[KEPT:]:
                del records[str(record["id"])]
        _write(home.index, records, unreadable)
        _write(home.recent, {str(record["id"]): record for record in ended[:RECENT]}, {})


def read_recent(home: Home) -> Records:
    """Returns the newest ended runs that are indexed; fast, however long the history."""
    try:
        return _read(home, home.recent) or read_newest(home)
    except BrokenRecord:
        return read_newest(home)


def read_newest(home: Home) -> Records:
    """Returns the content of experiments.json, or of runs/ if it is missing or broken; writes nothing."""
    try:
        records = _read(home, home.index)
    except BrokenRecord:
        return _rebuilt(home)
    return _rebuilt(home) if records is None else records


def read_all(home: Home) -> Records:
    """Returns every indexed run, including the monthly files."""
    records: Records = {}
    for path in monthly_files(home):
        try:
            records.update(_read(home, path) or {})
        except BrokenRecord:
            records.update(scan_runs(home))
    records.update(read_newest(home))
    return records


def scan_runs(home: Home) -> Records:
    """Reads every run directory, without broken ones. Slow: only for a missing or broken index."""
    names = os.listdir(home.runs) if os.path.isdir(home.runs) else []
    return {name: record for name in names if (record := _from_directory(home, name)) is not None}


def _from_directory(home: Home, run_id: str) -> JsonObject | None:
    """The record of a run that has a directory; None without one that can be read."""
    if not RUN_ID.fullmatch(run_id) or not os.path.isdir(home.run_folder(run_id)):
        return None
    directory = RunDirectory(home.run_folder(run_id))
    try:
        return directory.shown()
    except StorageFailed as error:
        home.set_unreadable(directory.record_path, {run_id: str(error)})
        return None


def _rebuilt(home: Home) -> Records:
    """The records of all directories, and those of the original tool, of which there are only the kept copies."""
    from glob import escape, glob  # not needed for the index itself

    records: Records = {}
    for path in sorted(glob(escape(home.replaced_index(ORIGINAL))[: -len(".json")] + "*.json")):
        with suppress(StorageFailed):
            records |= _read(home, path) or {}
    return records | scan_runs(home)


def _index_lock(home: Home) -> Lock:
    lock = wait_for_lock(home.index_lock, seconds=LOCK_SECONDS)
    if lock is None:
        raise StorageFailed(f"{home.index_lock}: held by another process for more than {duration(LOCK_SECONDS)}")
    return lock


def _read_or_rebuild(home: Home) -> tuple[Records, Records]:
    """Returns the index for an update, and what is unreadable in it.

    A broken index, or one of the original tool or of another version, is kept as a copy.
    """
    try:
        content = _content(home, home.index)
        if content is not None and original_records(content) is None:
            return _parse(home, home.index, content)
    except BrokenRecord:
        _keep_copy(home, f"broken-{int(time.time())}")
    else:
        if content is not None:
            _keep_copy(home, ORIGINAL)
    return _rebuilt(home), {}


def _content(home: Home, path: str) -> bytes | None:
    """The content of a file of the index; what is no file, or not accessible, is set aside: it can be rebuilt."""
    try:
        return read_bytes(path, most=MAX_INDEX_BYTES)
    except BrokenRecord:
        if home.foreign_owner() is not None or not set_aside(path):
            raise
        return read_bytes(path, most=MAX_INDEX_BYTES)


def _keep_copy(home: Home, reason: str) -> None:
    """Makes a hard link, so that experiments.json exists at all times."""
    names = (home.replaced_index(reason if number == 1 else f"{reason}-{number}") for number in count(1))
    copy = next(name for name in names if not os.path.lexists(name))
    try:
        os.link(home.index, copy)
    except OSError as error:
        raise StorageFailed(f"{copy}: {error.strerror}; the old index is not replaced without a copy") from error


def _read(home: Home, path: str) -> Records | None:
    """The records of a file; those that are unreadable there are read from their directories, or left out."""
    content = _content(home, path)
    return None if content is None else _parse(home, path, content)[0]


def _parse(home: Home, path: str, content: bytes) -> tuple[Records, Records]:
    """The records of a file, and as they are there those that are unreadable."""
    if _is_signed(content):
        home.set_unreadable(path, {})
        return _experiments(path, content), {}
    records: Records = {}
    unreadable: Records = {}
    reasons: dict[str, str] = {}
    for key, value in (original_records(content) or _experiments(path, content)).items():
        try:
            records[key] = checked(key, value)
        except WrongField as error:
            known = _from_directory(home, key)
            if known is None:
                unreadable[key], reasons[key] = value, f"{path}: {shortened(key)}: {error}"
            else:
                records[key] = known
    home.set_unreadable(path, reasons)
    return records, unreadable


def _experiments(path: str, content: bytes) -> Records:
    """What a file of ours holds, unchecked. Raises: BrokenRecord."""
    document = parse_object(path, content)
    records = document.get("experiments")
    if document.get("schema_version") != SCHEMA_VERSION or not isinstance(records, dict):
        version = shortened(document.get("schema_version"))
        raise BrokenRecord(path, f"schema_version {version} is not {SCHEMA_VERSION}")
    return records


def _write(path: str, records: Records, unreadable: Records) -> None:
    """Writes records that have the right shape; a file without others is signed, to be read without checking each."""
    content = dump({"schema_version": SCHEMA_VERSION, "experiments": unreadable | records})
    if not unreadable:
        content = content[:-1] + _signature(content[:-1])
    write_atomically(path, content, durable=True)


def _signature(content: bytes) -> bytes:
    """The end of a file: the version that wrote it, and a checksum of what comes before."""
    from zlib import crc32

    return f',"signed":"{__version__} {crc32(content):08x}"}}'.encode("ascii")


def _is_signed(content: bytes) -> bool:
    """Whether this version wrote the file, and nobody changed it since."""
    end = content.rfind(b',"signed":"')
    return end > 0 and content[end:] == _signature(content[:end])


def read_month(home: Home, path: str) -> Records:
    """Returns the runs of one of `monthly_files`; none if it is damaged."""
    try:
        return _read(home, path) or {}
    except BrokenRecord as error:
        home.set_unreadable(path, {os.path.basename(path): str(error)})
        return {}


def _newest_first(records: Iterable[JsonObject]) -> list[JsonObject]:
    return sorted(records, key=lambda record: str(record.get("created_at") or ""), reverse=True)


def monthly_files(home: Home) -> list[str]:
    """The files of runs that the index no longer has, the oldest month first."""
    from glob import escape, glob

    return sorted(glob(Home(escape(home.root), home.host).monthly_index("[0-9][0-9][0-9][0-9]-[0-9][0-9]")))


def _move_to_months(home: Home, records: Iterable[JsonObject]) -> None:
    """Moves records to monthly files before the index drops them; after a crash in between they are in both."""
    months: dict[str, Records] = {}
    for record in records:
        created = str(record.get("created_at") or "")
        month = created[:7] if re.fullmatch(r"\d{4}-\d{2}", created[:7]) else "1970-01"
        months.setdefault(month, {})[str(record["id"])] = record
    for month, moved in months.items():
        path = home.monthly_index(month)
        old, unreadable = _read_month_to_change(home, path)
        _write(path, old | moved, unreadable)


def _read_month_to_change(home: Home, path: str) -> tuple[Records, Records]:
    """The records of a monthly file and what is unreadable there; a broken file is renamed."""
    try:
        content = _content(home, path)
        return ({}, {}) if content is None else _parse(home, path, content)
    except BrokenRecord:
        os.rename(path, unused_name(f"{path}.broken-{int(time.time())}"))
        return {}, {}


def _remove_from_months(home: Home, removed: Collection[str]) -> None:
    for path in monthly_files(home):
        with suppress(BrokenRecord):  # an unreadable file lists no run
            content = _content(home, path)
            records, unreadable = ({}, {}) if content is None else _parse(home, path, content)
            if not set(removed).isdisjoint(records.keys() | unreadable.keys()):
                _write(path, _without(records, removed), _without(unreadable, removed))


def _without(records: Records, removed: Collection[str]) -> Records:
    return {run_id: record for run_id, record in records.items() if run_id not in removed}
