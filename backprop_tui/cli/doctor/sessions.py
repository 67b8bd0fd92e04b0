"""Whether runs survive a logout."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.cli.doctor.findings import Finding, bad, ok
from backprop_tui.probes.logout import what_logout_does


def look_at_sessions(user: str, *, root: str = "/", ask: bool = True) -> Iterator[Finding]:
    """KillUserProcesses and lingering; `ask` logind what is in force, else its files are read alone."""
    found = what_logout_does(user, root=root, ask=ask)
    if found.mend is None:
        yield ok("logout", f"what runs goes on after you log out ({found.words})")
    else:
        yield bad(
            "logout",
            f"systemd ends your processes when you log out ({found.words}), runs too",
            f"{found.mend}   (perhaps with sudo; also keeps runs going after a lost connection)",
        )
