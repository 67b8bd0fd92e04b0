"""What enter does on a check that a run waits on: offers its remedies and carries one out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.thresholds import as_options
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.remedies import Remedy, RemedyKind
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.panes.waiting import CheckRow
from backprop_tui.tui.screens.questions import CANCEL, Answer, Question
from backprop_tui.tui.screens.run_actions import RunActions
from backprop_tui.tui.screens.ui_state import Targets

if TYPE_CHECKING:
    from backprop_tui.tui.screens.dialogs import DialogsScreen

_DIGITS = "123456789"  # keys of the first remedies; the others are chosen with the mark
_HARMLESS = frozenset({RemedyKind.OPEN, RemedyKind.DOCTOR})  # also done by a read-only dashboard
_WITHOUT_ASKING = _HARMLESS | {RemedyKind.RERUN, RemedyKind.STOP, RemedyKind.FIELDS}  # these change nothing yet


class RemedyActions:
    """Every remedy is a command that exists without this: `edit`, `config set`, `queue release`, `stop`."""

    def __init__(self, commands: CommandRunner, run_actions: RunActions, screen: DialogsScreen) -> None:
        self._commands = commands
        self._run_actions = run_actions
        self._screen = screen

    async def offer(self, run: KnownRun, check: CheckRow) -> None:
        """Asks which remedy to carry out; one that opens something else is carried out at once."""
        if not check.remedies:
            self._screen.tell(f"{check.name}: {check.remedy}")
            return
        remedy = check.remedies[0]
        if remedy.kind not in _HARMLESS and self._screen.refuses_changes():
            return
        if len(check.remedies) > 1 or remedy.kind not in _WITHOUT_ASKING:
            answer = await self._screen.ask(remedy_question(run, check))
            if answer == CANCEL:
                return
            remedy = check.remedies[int(answer)]
        await self._carry_out(run, remedy)

    async def _carry_out(self, run: KnownRun, remedy: Remedy) -> None:
        match remedy.kind:
            case RemedyKind.EDIT | RemedyKind.CONFIGURE:
                await self._change_limits(run, remedy)
            case RemedyKind.RELEASE:
                self._report(await self._commands.set_queue(held=False))
            case RemedyKind.MOVE:
                self._report(await self._commands.move([run.id], -(run.queue_position or 1)))
            case RemedyKind.OPEN:
                self._screen.go_to(remedy.run_id)
            case RemedyKind.STOP:
                occupant = self._screen.snapshot.find(remedy.run_id)
                await self._run_actions.stop(Targets(runs=[] if occupant is None else [occupant]))
            case RemedyKind.RERUN:
                await self._screen.action_copy_as_new()
            case RemedyKind.FIELDS:
                self._screen.edit_fields([run])
            case RemedyKind.FREE:
                self._report(await self._commands.release_job(run.id))
            case RemedyKind.DOCTOR:
                from backprop_tui.tui.screens.palette import show_doctor

                await show_doctor(self._screen, self._commands)

    async def _change_limits(self, run: KnownRun, remedy: Remedy) -> None:
        if remedy.thresholds is not None:
            self._report(await self._commands.edit([run.id], thresholds=remedy.thresholds))
        if remedy.kind is RemedyKind.CONFIGURE:
            self._report(await self._commands.set_config(remedy.setting, remedy.value))

    def _report(self, result: CommandResult) -> None:
        self._screen.tell(result.message, bad=not result.done)


def remedy_question(run: KnownRun, check: CheckRow) -> Question:
    shown = check.remedies
    zero = ["0 switches the check off."] if any(remedy.switches_off for remedy in shown) else []
    ahead = (run.queue_position or 1) - 1
    jumps = any(remedy.thresholds is not None for remedy in shown)
    place = [f"{counted(ahead, 'run')} ahead of it in the queue."] if ahead and check.name != "queue" else []
    place += ["A limit of its own lets it jump the line."] if ahead and jumps else []
    lines = (f"{sanitize(run.label)} waits: {check.reason}", *place, *zero)
    answers = [
        Answer(_DIGITS[number : number + 1], str(number), _described(remedy)) for number, remedy in enumerate(shown)
    ]
    return Question(title="Remedy", lines=lines, answers=answers, marked=CANCEL if shown[0].heats else None)


def _described(remedy: Remedy) -> str:
    """What is done, as the command that would do it."""
    match remedy.kind:
        case RemedyKind.EDIT if remedy.thresholds is not None:
            return f"only this run: {as_options(remedy.thresholds)}"
        case RemedyKind.CONFIGURE if remedy.thresholds is not None:
            return f"this and later runs: {remedy.setting} = {remedy.value}"
        case RemedyKind.CONFIGURE:
            return f"all runs: {remedy.setting} = {remedy.value}"
        case _:
            return remedy.text
