"""`service`: installs the systemd user unit that continues the queue after a reboot."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from backprop_tui.cli import output
from backprop_tui.cli.commands.doctor import print_findings
from backprop_tui.cli.doctor import Finding, bad, ok
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.client import service
from backprop_tui.domain.formatting import counted
from backprop_tui.probes.logout import login_name
from backprop_tui.store.run_view import unfinished_views

SUMMARY = "continue the queue after a reboot: a systemd user unit"

_INSTALL = "backprop-tui service install"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True, title="actions")
    actions.add_parser("install", help="write the unit and enable it; again after this program was moved")
    actions.add_parser("uninstall", help="disable and remove the unit; runs continue")
    actions.add_parser("status", help="check that the queue would continue after a reboot; exit code 1 if not")
    actions.add_parser("start", help="what the unit executes: start the supervisor if runs are unfinished")


def execute(arguments: argparse.Namespace, session: Session) -> int:
    actions: dict[str, Callable[[Session], int]] = {
        "install": _install,
        "uninstall": _uninstall,
        "status": _status,
        "start": _start,
    }
    return actions[arguments.action](session)


def _install(session: Session) -> int:
    if session.dry_run:
        service.require_systemd(session)
        output.data(f"# {service.unit_path()}\n{service.unit_text(session).rstrip()}")
        return OK
    service.install(session)
    return _status(session)


def _uninstall(session: Session) -> int:
    path = service.unit_path()
    if session.dry_run:
        output.line(f"would remove {path}")
        return OK
    removed = service.uninstall()
    if session.json:
        output.json_value({"removed": removed})
    else:
        output.line(f"removed {path}; runs continue" if removed else f"not installed: there is no {path}")
    return OK


def _status(session: Session) -> int:
    return print_findings(session, list(_findings(service.service_state(session))))


def _findings(state: service.ServiceState) -> Iterator[Finding]:
    if not state.installed:
        yield bad("unit", f"not installed: there is no {state.path}", _INSTALL)
    elif not state.is_current:
        yield bad("unit", f"{state.path} is that of another installation or other settings", _INSTALL)
    else:
        yield ok("unit", state.path)
    if state.installed and not state.enabled:
        yield bad("enabled", "no: it does not start at boot", _INSTALL)
    elif state.installed:
        yield ok("enabled", "it starts at boot")
    if state.failed:
        yield bad("last start", "it failed", f"journalctl --user -u {service.UNIT}")
    if state.linger:
        yield ok("linger", "on")
    else:
        message = "off: your processes start only after you log in, and the unit then does nothing"
        yield bad("linger", message, f"loginctl enable-linger {login_name()}   (may need sudo)")


def _start(session: Session) -> int:
    views = [view for view in unfinished_views(session.home) if view.run.host == session.home.host]
    if views and not session.dry_run:
        session.wake_supervisor()
    if session.json:
        output.json_value({"unfinished": len(views)})
    elif views:
        would = "would start or wake" if session.dry_run else "started or woken"
        output.line(f"supervisor {would}: {counted(len(views), 'run')} unfinished")
    else:
        output.line("no run is unfinished: there is nothing to start")
    return OK
