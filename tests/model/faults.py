"""Faults from outside: kill -9 and power cuts; and the next command, which repairs what no process can."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.model.rules import Rules
from tests.model.script import dies
from tests.model.state import LEASE, Process, State


def kills(state: State, rules: Rules) -> Iterator[tuple[Process, State]]:
    """Every process may be killed before every one of its steps."""
    if not state.kills_left:
        return
    for victim in dict.fromkeys(state.processes):
        if victim.at == "zombie":
            continue
        after = dies(state, victim) if victim.role == "script" else _without_zombie_child(state.move(victim), victim)
        abandoned = after.abandoned or not _is_work_continued(after, rules)
        yield victim, after._replace(kills_left=state.kills_left - 1, abandoned=abandoned)


def power_cuts(state: State, rules: Rules) -> Iterator[State]:
    """No process is left; a file that was not synced has its last content or the one before."""
    if not state.power_cuts_left:
        return
    disk = state.disk
    runs = {run._replace(this_boot=False) for run in (disk.run, disk.durable)}
    records = {disk.record, None}
    lives = {(disk.intent, disk.offset, disk.script_end), (0, 0, 0)}
    markers = {disk.marker} if rules.marker_is_synced else {disk.marker, False}
    for run, record, (intent, offset, script_end), marker in product(runs, records, lives, markers):
        files = disk._replace(run=run, durable=run, record=record, marker=marker)
        files = files._replace(intent=intent, offset=offset, script_end=script_end)
        yield state._replace(
            disk=files, processes=(), kills_left=0, power_cuts_left=state.power_cuts_left - 1, abandoned=True
        )


def next_commands(state: State) -> Iterator[State]:
    """Only after a kill or a power cut left no process that continues: otherwise the program must recover by itself."""
    if state.abandoned and state.disk.has_work and all(process.role == "script" for process in state.processes):
        command = Process("command", "rings")
        yield state._replace(processes=tuple(sorted((*state.processes, command))), abandoned=False)


def _without_zombie_child(state: State, parent: Process) -> State:
    script = state.script(parent.pid) if parent.role == "runner" else None
    return state.move(script) if script is not None and script.at == "zombie" else state


def _is_work_continued(state: State, rules: Rules) -> bool:
    """Whether a process will still look for work, and no process that will not holds the lease, which blocks others."""
    idle = [process for process in state.processes if not _looks_for_work(state, process, rules)]
    return len(idle) < len(state.processes) and not any(process.has(LEASE) for process in idle)


def _looks_for_work(state: State, process: Process, rules: Rules) -> bool:
    if process.role == "script" or process.at == "exits" or (process.at == "lets_go" and not process.then):
        return False
    if process.role == "runner" and not process.task:
        return False  # it waits for a run
    if process.role == "fork server":
        supervisor = state.find("supervisor", family=process.family)
        return rules.server_wakes or (supervisor is not None and supervisor.at != "exits")
    return process.at not in {"reads_status", "awaits_end"}  # the user has not entered these commands yet
