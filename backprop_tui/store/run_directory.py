"""The directory of one run: its record, live record, events, requests and environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from backprop_tui.domain.errors import BackpropError, BrokenRecord, StorageFailed
from backprop_tui.domain.formatting import iso, shortened
from backprop_tui.domain.live import Live
from backprop_tui.domain.requests import EditRequest, Request, TimeboxRequest
from backprop_tui.domain.run import Run, apply_edit, with_timebox
from backprop_tui.store.codec import decode, encode
from backprop_tui.store.fields import JsonObject, WrongField
from backprop_tui.store.files import (
    append_line,
    dump,
    read_bytes,
    read_object,
    storage,
    sync_folder,
    unused_name,
    write_atomically,
)
from backprop_tui.store.home import RUN_ID, Home
from backprop_tui.store.locks import Lock, try_lock
from backprop_tui.store.records import decode_request, decode_run, encode_request, encode_run, public
from backprop_tui.store.tail import Tail, parse_lines

MAX_REQUEST_BYTES = 1 << 20  # read at a time


class RunDirectory:
    """Reads and writes the files of one run; only the holder of `lock` may write run.json, live.json and events.

    Reading raises BrokenRecord if a file is missing or invalid; writing raises StorageFailed and changes nothing then.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock_path = f"{path}/lock"  # its holder may write the record: the supervisor, then the guardian
        self.script_lock = f"{path}/script.lock"  # held by the script as its stdin; names attempt, pid and start time
        self.log = f"{path}/output.log"  # what the script printed, byte for byte
        self.record_path = f"{path}/run.json"
        self.live_path = f"{path}/live.json"
        self.events_path = f"{path}/events.jsonl"
        self.metrics_path = f"{path}/metrics.jsonl"
        self.resources_path = f"{path}/resources.jsonl"
        self.requests_path = f"{path}/requests.jsonl"
        self.environment_path = f"{path}/environment"  # may hold secrets, so it is removed at the end of the run
        self.listeners_path = f"{path}/listeners"  # processes that poll `backprop_tui.report` whether to stop

    def file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def try_lock(self) -> Lock | None:
        """Takes the right to write the record; None if another process has it. Raises: FileNotFoundError."""
        return try_lock(self.lock_path)

    def claim(self, job_number: int, holder: JsonObject) -> bool:
        """Takes the right to start or to end a run that was handed to a Slurm job; False if it was taken before.

        A hard link is made only once on any file system, also where locks reach no other machine.
        """
        path = self._claim_path(job_number)
        draft = f"{path}.{os.getpid()}.{os.uname().nodename}"
        with storage(path):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            write_atomically(draft, dump(holder), durable=True)
            try:
                os.link(draft, path)
            except FileExistsError:
                return os.stat(draft).st_nlink == 2  # the answer to a link that was made got lost
            finally:
                os.unlink(draft)
            sync_folder(os.path.dirname(path))
        return True

    def claimed(self, job_number: int) -> JsonObject | None:
        """Who has the claim of a job; None if nobody has."""
        return read_object(self._claim_path(job_number))

    def _claim_path(self, job_number: int) -> str:
        return f"{self.path}/claims/{job_number}"

    def read(self) -> Run:
        source = read_object(self.record_path)
        if source is None:
            raise BrokenRecord(self.record_path, "missing")
        run = decode_run(self.record_path, source)
        name = os.path.basename(self.path)
        if run.id != name and RUN_ID.fullmatch(name):  # others are drafts, or removed
            raise BrokenRecord(self.record_path, f"id {shortened(run.id)} is not the name of its directory")
        return run if run.submitted_job is None else self._with_edits(run)

    def _with_edits(self, run: Run) -> Run:
        """A run that waits in Slurm's queue, as it will start: its job makes the edits that were requested since."""
        for request in self.requests_after(run.requests_offset)[0]:
            if isinstance(request, EditRequest):
                run = apply_edit(run, request)
            elif isinstance(request, TimeboxRequest):
                run = with_timebox(run, request)
        return run

    def write(self, run: Run, *, durable: bool) -> None:
        write_atomically(self.record_path, dump(encode_run(run, self.path)), durable=durable)

    def restore_record(self, run: Run) -> None:
        """Writes a record that something else damaged again; what is in its place is kept beside it."""
        with storage(self.record_path):
            if os.path.lexists(self.record_path):
                os.rename(self.record_path, unused_name(f"{self.record_path}.damaged"))
        self.write(run, durable=True)

    def read_live(self) -> Live | None:
        """Reads the live record, which may be lost at any time; None if it is missing or invalid."""
        try:
            source = read_object(self.live_path)
            return None if source is None else decode(Live, source)
        except (StorageFailed, WrongField):
            return None

    def write_live(self, live: Live) -> None:
        write_atomically(self.live_path, dump(encode(live)), durable=False)

    def shown(self, holds: Sequence[JsonObject] = ()) -> JsonObject:
        """Returns the public JSON of the run at this moment."""
        run = self.read()
        live = self.read_live() if run.attempts else None
        return public(run, self.path, live=live, holds=holds)

    def append_event(self, kind: str, message: str, *, time: float, **values: object) -> None:
        append_line(self.events_path, dump({"time": iso(time), "event": kind, "message": message, **values}))

    def append_request(self, request: Request) -> None:
        """Sends a request to the guardian, which reads them five times a second."""
        append_line(self.requests_path, encode_request(request))

    def requests_after(self, offset: int) -> tuple[list[Request], int]:
        """Returns the requests after `offset`, and the offset after them."""
        tail = Tail(self.requests_path, offset)
        with storage(tail.path):
            unread = tail.look()
            if unread <= 0 or tail.restarted:  # a truncated file holds nothing new: requests are carried out only once
                return [], offset
            content = tail.chunk(min(unread, MAX_REQUEST_BYTES))
        whole = content[: content.rfind(b"\n") + 1]
        if len(content) == MAX_REQUEST_BYTES:
            whole = whole or content  # a line without an end: no request is that long
        decoded = (decode_request(line) for line in whole.splitlines())
        return [request for request in decoded if request is not None], offset + len(whole)

    def write_environment(self, environment: Mapping[str, str]) -> None:
        """Writes the captured environment, readable by its owner only; undecodable bytes survive."""
        write_atomically(self.environment_path, dump(dict(environment)), durable=True)

    def read_environment(self) -> dict[str, str]:
        environment = read_object(self.environment_path)
        if environment is None:
            raise BrokenRecord(self.environment_path, "the captured environment is missing")
        return {name: str(value) for name, value in environment.items()}

    def delete_environment(self) -> None:
        try:
            os.unlink(self.environment_path)
        except FileNotFoundError:
            return

    def script_identity(self) -> tuple[int, int, int] | None:
        """Returns attempt, pid and start time (ticks since boot), written by the child before it execs the script."""
        try:
            attempt, pid, start_time = map(int, (read_bytes(self.script_lock) or b"").split())
        except ValueError:  # empty or incomplete
            return None
        return attempt, pid, start_time


def read_lines(path: str) -> list[JsonObject]:
    """Returns the objects of a JSON-lines file; invalid lines are skipped, a missing file has none."""
    return parse_lines(read_bytes(path) or b"")


def has_work(home: Home) -> bool:
    """Returns whether a run of this host has a marker, so that a supervisor is needed; unreadable ones do not count."""
    try:
        run_ids = os.listdir(home.active)
    except FileNotFoundError:
        return False
    return any(_is_of_host(home, run_id) for run_id in run_ids)


def _is_of_host(home: Home, run_id: str) -> bool:
    """Whether it runs on this host, or was submitted from it."""
    try:
        run = RunDirectory(home.run_folder(run_id)).read()
    except BackpropError:
        return False
    return home.host in (run.host, None if run.job is None else run.job.host)
