"""The directory of one run: its record, live record, events, requests and environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from backprop_tui.domain.errors import BrokenRecord, StorageFailed, UntrustedRecord
from backprop_tui.domain.formatting import counted, iso, shortened
from backprop_tui.domain.live import Live
from backprop_tui.domain.requests import EditRequest, NoticeRequest, Request, TimeboxRequest
from backprop_tui.domain.run import Run
from backprop_tui.domain.run_changes import apply_edit, with_timebox
from backprop_tui.domain.secrets import MASK, HiddenWords, hidden_words, reveal_words
from backprop_tui.processes.users import ALLOW_SHARED, shared_with
from backprop_tui.store.codec import decode, encode
from backprop_tui.store.fields import JsonObject, WrongField
from backprop_tui.store.files import (
    append_line,
    dump,
    open_own,
    parse_object,
    read_bytes,
    read_object,
    set_aside,
    storage,
    sync_folder,
    unused_name,
    write_atomically,
)
from backprop_tui.store.home import RUN_ID
from backprop_tui.store.locks import Lock, try_lock
from backprop_tui.store.records import decode_request, decode_run, encode_request, encode_run, public
from backprop_tui.store.tail import Tail, parse_lines
from backprop_tui.store.watched_file import Signature, signature_of

_HIDDEN = "BACKPROP_HIDDEN_WORDS"  # among the variables: a script never gets it

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
        # What the script gets, and every secret that was given: these stay after the end, since a resumed run needs
        # them, and are in no other file.
        self.environment_path = f"{path}/environment"
        self.claims = f"{path}/claims"  # who may begin or end a run whose job was submitted, by the number of the job
        self.listeners_path = f"{path}/listeners"  # processes that poll `backprop_tui.report` whether to stop
        self.written: Signature | None = None  # of the record as this object wrote it last

    def file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def try_lock(self) -> Lock | None:
        """Takes the right to write the record; None if another process has it. Raises: FileNotFoundError."""
        return try_lock(self.lock_path)

    def claim(self, job_number: int, holder: JsonObject, *, start: int = 1) -> bool:
        """Takes the right to start or to end a run that was handed to a Slurm job; False if it was taken before.

        `start` is above 1 for a job that Slurm started again: the right of the start before, which is gone. A hard
        link is made only once on any file system, also where locks reach no other machine.
        """
        path = self._claim_path(job_number, start)
        if os.path.exists(path):
            return False
        draft = f"{path}.{os.getpid()}.{os.uname().nodename}"
        with storage(path):
            os.makedirs(self.claims, mode=0o700, exist_ok=True)
            write_atomically(draft, dump(holder), durable=True)
            try:
                os.link(draft, path)
            except FileExistsError:
                return os.stat(draft).st_nlink == 2  # the answer to a link that was made got lost
            finally:
                os.unlink(draft)
            sync_folder(self.claims)
        return True

    def claimed(self, job_number: int, *, start: int = 1) -> JsonObject | None:
        """Who has the claim of a job; None if nobody has."""
        return read_object(self._claim_path(job_number, start))

    def _claim_path(self, job_number: int, start: int) -> str:
        return f"{self.claims}/{job_number}" + ("" if start == 1 else f".{start}")

    def announce_job(self, job_number: int) -> None:
        """Notes that a job of this number is submitted now: until it is recorded only the cluster knows it."""
        path = self._announcement_path(job_number)
        with storage(path):
            os.makedirs(self.claims, mode=0o700, exist_ok=True)
            os.close(open_own(path, os.O_WRONLY))
            sync_folder(self.claims)

    def is_job_announced(self, job_number: int) -> bool:
        return os.path.exists(self._announcement_path(job_number))

    def _announcement_path(self, job_number: int) -> str:
        return f"{self.claims}/{job_number}.announced"

    def signs(self) -> list[Signature | None]:
        """What changes while somebody begins, guards, submits or ends the run, at least every ten seconds."""
        return [signature_of(path) for path in (self.record_path, self.live_path, self.resources_path, self.claims)]

    def read(self) -> Run:
        for path in (self.path, self.record_path):
            reason = shared_with(path, root_looks=True)
            if reason is not None:
                raise UntrustedRecord(path, f"{reason}, so it is not used", f"{ALLOW_SHARED}=1 uses it all the same")
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
        """Writes the record, without the secrets of its command: they go to the file of the environment."""
        hidden = hidden_words(run.spec.command)
        if hidden:
            kept = self._environment() or {}
            words = dump({**self._hidden_words(kept), **hidden}).decode()
            write_atomically(self.environment_path, dump({**kept, _HIDDEN: words}), durable=durable)
        self.written = write_atomically(self.record_path, dump(encode_run(run, self.path)), durable=durable)

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

    def note_problem(self, problem: str) -> None:
        """Writes why the guardian failed into the live record, if there is one. The caller holds the run's lock."""
        live = self.read_live()
        if live is not None and live.problem != problem:
            self.write_live(replace(live, problem=problem))

    def shown(self, holds: Sequence[JsonObject] = ()) -> JsonObject:
        """Returns the public JSON of the run at this moment."""
        run = self.read()
        live = self.read_live() if run.attempts else None
        return public(run, self.path, live=live, holds=holds)

    def append_event(self, kind: str, message: str, *, time: float, **values: object) -> None:
        append_line(self.events_path, dump({"time": iso(time), "event": kind, "message": message, **values}))

    def append_request(self, request: Request) -> None:
        """Sends a request to the guardian, which notices it at once, or within a second on a network file system."""
        append_line(self.requests_path, encode_request(request))

    def requests_after(self, offset: int) -> tuple[list[Request], int]:
        """Returns the requests after `offset`, and the offset after them; a notice stands for other lines."""
        if not os.path.exists(self.requests_path):  # of most runs, and a dashboard reads thousands
            return [], offset
        tail = Tail(self.requests_path, offset)
        with storage(tail.path):
            unread = tail.look()
            if unread <= 0 or tail.restarted:  # a truncated file holds nothing new: requests are carried out only once
                return [], offset
            content = tail.chunk(min(unread, MAX_REQUEST_BYTES))
        whole = content[: content.rfind(b"\n") + 1]
        if len(content) == MAX_REQUEST_BYTES:
            whole = whole or content  # a line without an end: no request is that long
        lines = [(line, decode_request(line)) for line in whole.split(b"\n") if line]
        skipped = [line for line, request in lines if request is None]
        requests = [request for _, request in lines if request is not None]
        return ([*requests, _notice_of(skipped)] if skipped else requests), offset + len(whole)

    def write_environment(self, environment: Mapping[str, str], *, folder_is_synced_later: bool = False) -> None:
        """Writes the captured environment, readable by its owner only; undecodable bytes survive.

        `folder_is_synced_later`: a durable write of the record follows.
        """
        hidden = {name: value for name, value in (self._environment() or {}).items() if name == _HIDDEN}
        content = dump({**environment, **hidden})
        write_atomically(self.environment_path, content, durable=True, folder_is_synced_later=folder_is_synced_later)

    def read_environment(self) -> dict[str, str]:
        environment = self._environment()
        if environment is None:
            raise BrokenRecord(self.environment_path, "the captured environment is missing")
        return {name: value for name, value in environment.items() if name != _HIDDEN}

    def delete_environment(self, run: Run) -> None:
        """Deletes the environment at the end of the run, except the secrets that were given to it."""
        try:
            environment = self._environment()
        except BrokenRecord:  # something else is there, from which nothing can be kept
            environment = {}
        if environment is None:
            return
        kept = {name: value for name, value in environment.items() if name == _HIDDEN or name in _unrecorded(run)}
        if kept:
            write_atomically(self.environment_path, dump(kept), durable=False)
        else:
            self._remove_environment()

    def _remove_environment(self) -> None:
        try:
            os.unlink(self.environment_path)
        except OSError:
            if not set_aside(self.environment_path):
                raise

    def given_secrets(self, run: Run) -> dict[str, str]:
        """The variables of --env whose values are in no record, as far as they are still known."""
        environment = self._environment() or {}
        return {name: environment[name] for name in _unrecorded(run) if name in environment}

    def hidden_words(self) -> HiddenWords:
        """The true words of the command where its record has ***."""
        return self._hidden_words(self._environment() or {})

    def true_command(self, words: Sequence[str]) -> tuple[str, ...]:
        """A command line of this run with its secrets. Raises: BrokenRecord."""
        if not any(MASK in word for word in words):
            return tuple(words)
        command, unknown = reveal_words(words, self.hidden_words())
        if unknown:
            raise BrokenRecord(self.environment_path, f"the value of {unknown[0]} is missing")
        return command

    def _hidden_words(self, environment: Mapping[str, str]) -> HiddenWords:
        words = parse_object(self.environment_path, environment.get(_HIDDEN, "{}").encode())
        return {key: values for key, values in words.items() if isinstance(values, list)}

    def _environment(self) -> dict[str, str] | None:
        """What the file of the environment has; None if there is none."""
        content = read_object(self.environment_path)
        return None if content is None else {name: str(value) for name, value in content.items()}

    def script_identity(self) -> tuple[int, int, int] | None:
        """Returns attempt, pid and start time (ticks since boot), written by the child before it execs the script."""
        try:
            attempt, pid, start_time = map(int, (read_bytes(self.script_lock) or b"").split())
        except ValueError:  # empty or incomplete
            return None
        return attempt, pid, start_time


def _unrecorded(run: Run) -> list[str]:
    """The variables of --env whose values are secrets."""
    return [name for name, value in run.spec.env if value is None]


def _notice_of(skipped: list[bytes]) -> NoticeRequest:
    lines = counted(len(skipped), "line")
    first = shortened(skipped[0].decode("utf-8", "backslashreplace"))
    return NoticeRequest(message=f"requests.jsonl: {lines} that this version does not understand skipped: {first}")


def read_lines(path: str) -> list[JsonObject]:
    """Returns the objects of a JSON-lines file; invalid lines are skipped, a missing file has none."""
    return parse_lines(read_bytes(path) or b"")
