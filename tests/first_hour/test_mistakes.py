"""What new users type wrong: every answer says what is wrong and where, and what to type next."""

from __future__ import annotations

import shlex
from typing import NamedTuple

import pytest

from tests.first_hour.conftest import Refuses
from tests.support.commands import Commands


class Mistake(NamedTuple):
    """What was typed, its exit code, and what the message and the hint contain."""

    typed: str
    code: int
    message: str
    hint: str


LINES_OF = ", so type: backprop-tui run "

MISTAKES = [
    # Words that are no commands
    Mistake("lst", 2, "unknown command 'lst'", "did you mean list?"),
    Mistake("rnu", 2, "unknown command 'rnu'", "did you mean run?"),
    Mistake("train.py", 2, "unknown command 'train.py'", "run train.py"),
    Mistake("--bogus", 2, "unknown option --bogus", "--help"),
    Mistake("-- train.py", 2, "'--' before a command", "backprop-tui run -- COMMAND"),
    Mistake("--config", 2, "--config needs a path", "backprop-tui config path"),
    Mistake("--demo list", 2, "--demo shows a dashboard of its own", "leave out 'list'"),
    Mistake("--demo", 2, "--demo needs a terminal", "leave out"),
    Mistake("queue bogus", 2, "invalid choice: 'bogus'", "backprop-tui queue --help"),
    Mistake("doctor now", 2, "unexpected argument now", "backprop-tui doctor --help"),
    Mistake("completion", 2, "required", "backprop-tui completion {install,uninstall,bash,zsh,fish,man}"),
    Mistake("completion powershell", 2, "'powershell'", "backprop-tui completion --help"),
    # Scripts and commands
    Mistake("run", 2, "SCRIPT is missing", "backprop-tui run train.py"),
    Mistake("run --like nix", 2, "no run 'nix'", "backprop-tui list"),
    Mistake("run --like nix --lr 1", 2, "arguments of the command come after --", "run --like nix -- --lr 1"),
    Mistake("run --like nix train.py", 2, "--like names already what to run", "leave out train.py, or --like"),
    Mistake("run --", 2, "a command after --", "backprop-tui run -- COMMAND"),
    Mistake("run trian.py", 66, "script trian.py: not found", "did you mean train.py?"),
    Mistake("run train", 66, "script train: not found", "did you mean train.py?"),
    Mistake("run deep.py", 66, "script deep.py: not found", "there is no such file in"),
    Mistake("run .", 66, "script .: is a directory", "name the file in it"),
    Mistake("run folder", 66, "script folder: is a directory", "name the file in it"),
    Mistake("run notes", 66, "script notes: neither .py nor .sh nor executable", "chmod +x notes"),
    Mistake("run nb.ipynb", 66, "script nb.ipynb", "jupyter nbconvert --to script nb.ipynb"),
    Mistake("run -- 'python train.py'", 66, "command 'python train.py'", "backprop-tui run -- python train.py"),
    Mistake("run -- train.py", 66, "command train.py", "backprop-tui run train.py"),
    Mistake("run -- pyhton x.py", 66, "command pyhton: not on PATH", "did you mean python"),
    Mistake("run -", 66, "cannot be read from standard input", "save it to a file"),
    Mistake("run https://example.org/train.py", 66, "https://example.org/train.py", "download it"),
    Mistake("run 'train.py | tee x'", 2, "needs a shell", "bash -c 'train.py | tee x'"),
    Mistake("run 'train.py \"'", 2, "no closing quotation", "quote"),
    # Arguments of the script
    Mistake("run train.py --lr 1", 2, "unknown option --lr", f"{LINES_OF}train.py -- --lr 1"),
    Mistake("run train.py seed=1", 2, "unexpected argument seed=1", f"{LINES_OF}train.py -- seed=1"),
    Mistake("run train.py train.py", 2, "unexpected argument train.py", f"{LINES_OF}train.py -- train.py"),
    Mistake("run --grace x train.py", 2, "unknown option --grace", "backprop-tui run train.py -- --grace x"),
    Mistake("run train.py --env CartPole-v1", 2, "'CartPole-v1' is not NAME=VALUE", "train.py -- --env CartPole-v1"),
    Mistake("run train.py --config base.yaml", 2, "base.yaml", "train.py -- --config base.yaml"),
    # Values of options
    Mistake("run -m ten train.py", 2, "'ten'", "backprop-tui run --help"),
    Mistake("run -m 0 train.py", 2, "'0': must be more than 0", "backprop-tui run --help"),
    Mistake("run -m -5 train.py", 2, "'-5': must be more than 0", "backprop-tui run --help"),
    Mistake("run --gpus -1 train.py", 2, "--gpus: '-1': must be a whole number", "backprop-tui run --help"),
    Mistake("run --gpus two train.py", 2, "--gpus: 'two': must be a number", "backprop-tui run --help"),
    Mistake("run -g lots train.py", 2, "--gpu-memory-limit: 'lots'", "backprop-tui run --help"),
    Mistake("run -p x train.py", 2, "--max-parallel: 'x'", "backprop-tui run --help"),
    Mistake("run --until loss train.py", 2, "--until: 'loss'", "backprop-tui run --help"),
    Mistake("run --stop-signal NOPE train.py", 2, "'NOPE' is not a signal", "backprop-tui run --help"),
    Mistake("run --after nosuch train.py", 2, "--after nosuch: no run 'nosuch'", "backprop-tui list"),
    Mistake("run --resume-from missing.pt train.py", 2, "--resume-from missing.pt: not found", "checkpoint"),
    Mistake("run --cwd nowhere train.py", 2, "--cwd nowhere: there is no such directory", "directory that exists"),
    Mistake("run --cwd notes train.py", 2, "--cwd notes: not a directory", "directory that exists"),
    Mistake("run --env NOVALUE train.py", 2, "'NOVALUE' is not NAME=VALUE", "backprop-tui run --help"),
    Mistake("run --priority high train.py", 2, "--priority: 'high'", "backprop-tui run --help"),
    Mistake("run --gpu-ids '' train.py", 2, "--gpu-ids: ''", "backprop-tui run --help"),
    Mistake("run --gpus 2 --gpu-ids 0 train.py", 2, "--gpus 2: more than --gpu-ids names (0)", "leave out --gpus"),
    Mistake("run --gpus 0 --gpu-ids 0 train.py", 2, "--gpus 0 hides all GPUs", "only one of the two"),
    Mistake("run --run-id 'a b' train.py", 2, "--run-id 'a b'", "1 to 64 letters"),
    Mistake("run --run-id done train.py", 2, "--run-id done: taken", "backprop-tui resume done"),
    Mistake("run --name", 2, "--name: expected one argument", "backprop-tui run --help"),
    Mistake("run --python nowhere train.py", 2, "--python nowhere: no interpreter", "backprop-tui run --help"),
    Mistake("run --python ./nowhere train.py", 2, "--python ./nowhere: no interpreter", "backprop-tui run --help"),
    Mistake("run --python /nowhere/python train.py", 2, "/nowhere/python: no interpreter", "backprop-tui run --help"),
    Mistake("run --python folder train.py", 2, "folder is a directory without bin/python", "backprop-tui run --help"),
    Mistake("run --python notes train.py", 2, "notes is not executable", "backprop-tui run --help"),
    Mistake("run -d --gpus 99 train.py", 2, "--gpus 99", "without --gpus"),
    Mistake("run -d --gpu-ids 7 train.py", 2, "--gpu-ids 7", "backprop-tui doctor"),
    # Sweeps
    Mistake("run --sweep lr train.py", 2, "--sweep: 'lr' is not KEY=V1,V2", "backprop-tui run --help"),
    Mistake("run --sweep lr= train.py", 2, "--sweep: 'lr=' has an empty value", "backprop-tui run --help"),
    Mistake("run --sweep seed=1..100000 train.py", 2, "more than 10000 values", "backprop-tui run --help"),
    Mistake("run --sweep a=1..999 --sweep b=1..999 train.py", 2, "makes 998001 runs", "at most"),
    Mistake("run --sweep a=1 --sweep a=2 train.py", 2, "--sweep a: given twice", "one --sweep"),
    Mistake("run --sweep a=1,2 --run-id x train.py", 2, "--run-id names one run", "use --group or --key"),
    Mistake("run --sweep a=1,2 --no-wait train.py", 2, "--no-wait starts one run", "only one of the two"),
    # Runs in the wrong state
    Mistake("resume busy", 2, "run busy is running", "backprop-tui stop busy"),
    Mistake("resume waits", 2, "run waits is waiting", "backprop-tui stop waits"),
    Mistake("remove busy", 2, "run busy is running", "backprop-tui stop busy"),
    Mistake("remove waits", 2, "run waits is waiting", "backprop-tui stop waits"),
    Mistake("remove done", 2, "Remove 1 run", "give --yes"),
    Mistake("pause waits", 2, "run waits is waiting", "backprop-tui queue hold"),
    Mistake("pause done", 2, "run done has ended", "backprop-tui resume done"),
    Mistake("continue waits", 2, "run waits is waiting", "backprop-tui queue release"),
    Mistake("continue done", 2, "run done has ended", "backprop-tui resume done"),
    Mistake("edit done --max-minutes 5", 2, "run done has ended", "backprop-tui resume done -m 5"),
    Mistake("edit waits", 2, "nothing to change", "give --name, --tag, --note, -m"),
    Mistake("edit busy --objective loss", 2, "run busy is running", "after the run has ended"),
    Mistake("queue priority done 3", 2, "run done has ended", "backprop-tui queue"),
    Mistake("queue move busy --to 1", 2, "run busy is running, not waiting", "backprop-tui queue"),
    Mistake("queue move", 2, "required: RUN, --to", "backprop-tui queue move"),
    Mistake("compare done", 2, "compare needs at least two runs", "backprop-tui show"),
    Mistake("compare done done", 2, "compare needs at least two runs", "backprop-tui show"),
    Mistake("show done --metric nosuch", 2, "run done has no such metric", "it has none"),
    # Runs that do not exist
    *(
        Mistake(f"{command} nosuch{more}", 2, "no run 'nosuch'", "backprop-tui list")
        for command, more in {
            **dict.fromkeys(("wait", "show", "logs", "stop", "remove", "pause", "resume", "status", "export"), ""),
            "edit": " --name x",
        }.items()
    ),
    Mistake("stop buzy", 2, "no run 'buzy'", "did you mean busy?"),
    Mistake("stop @nosuch", 2, "'@nosuch'", "use @last or @running"),
    Mistake("show a@best", 2, "no run 'a'", "backprop-tui list"),
    Mistake("stop", 2, "RUN is missing", "--all for every unfinished run"),
    Mistake("stop --all busy", 2, "--all is every unfinished run", "give it or RUN, not both"),
    Mistake("remove", 2, "RUN is missing", "backprop-tui remove RUN"),
    Mistake("export --metrics", 2, "--metrics needs the runs", "@last"),
    # Options of other commands and tools
    Mistake("stop --force busy", 2, "unknown option --force", "--now"),
    Mistake("list --failed", 2, "unknown option --failed", "--status failed"),
    Mistake("list --watch", 2, "unknown option --watch", "it is an option of backprop-tui status"),
    Mistake("list --limit x", 2, "--limit: 'x'", "backprop-tui list --help"),
    Mistake("list --status bogus", 2, "'bogus' is not a status; use waiting", "backprop-tui list --help"),
    Mistake("list --sort bogus", 2, "cannot sort by 'bogus'", "sort by created, started"),
    Mistake("list --sort priorty", 2, "cannot sort by 'priorty'", "did you mean priority?"),
    Mistake("export --format xml", 2, "invalid choice: 'xml'", "backprop-tui export --help"),
    Mistake("logs done --lines x", 2, "--lines: 'x'", "backprop-tui logs --help"),
    Mistake("clean --older-than soon", 2, "--older-than: 'soon'", "backprop-tui clean --help"),
    # Settings
    Mistake("config", 2, "required: ACTION", "backprop-tui config {"),
    Mistake("config edit", 2, "'edit'", "backprop-tui config path"),
    Mistake("config set nosuch 1", 2, "unknown key 'nosuch'", "backprop-tui config show"),
    Mistake("config set max_temp 80", 2, "unknown key 'max_temp'", "did you mean 'gpu.max_temp_c'?"),
    Mistake("config set max_parallel lots", 2, "max_parallel = 'lots'", "backprop-tui config show max_parallel"),
    Mistake("config show nosuch", 2, "unknown key 'nosuch'", "backprop-tui config show"),
    Mistake("--config nosuch.toml run train.py", 2, "nosuch.toml: there is no such file", "config init"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.typed)
def test_a_mistake_is_answered(refuses: Refuses, mistake: Mistake) -> None:
    refusal = refuses(*shlex.split(mistake.typed))
    assert refusal.code == mistake.code
    assert mistake.message in refusal.message
    assert mistake.hint in (refusal.hint or "")


VALID = {
    "stop done": "had ended already",
    "logs waits": "",
    "resume done -d": "done",
    "list --all": "broke",
    "config path": "config.toml",
    "queue": "waits",
    "run -d 'train.py --lr 1'": "",
    "run -d python3 train.py --lr 1": "",
    "run -d train.py --": "",
    "ls": "waits",
    "ps": "waits",
    "cancel waits": "stopped",
    "help": "usage: backprop-tui",
    "help run": "usage: backprop-tui run",
    "-V": "backprop-tui ",
    "run -d -m 90s train.py": "",
    "run -d -m 1h --total-minutes 12h train.py": "",
    "edit waits -m 5": "a limit of 5m",
}


@pytest.mark.parametrize(("typed", "printed"), VALID.items())
def test_valid_command_lines_are_accepted(obey: Commands, typed: str, printed: str) -> None:
    result = obey(*shlex.split(typed))
    assert result.code == 0
    assert printed in result.out
