"""The run protocol as an explicit-state model: every interleaving and every death is tried, not a sample.

Read in this order:

    state.py        what is on disk, who lives, who holds which lock
    rules.py        the rules of the protocol, each of which can be taken away
    front_ends.py   queue, stop, resume, and how anybody wakes a supervisor
    supervisor.py   the pass, recovery, the way out
    fork_server.py  how a runner comes to be
    runner.py       start, adoption, watching, the end
    script.py       the child between fork and exit
    disasters.py    kill -9 of anybody at any step, power cuts, the next command
    invariants.py   what must hold in every state and at every step
    search.py       breadth first over all of it
    scenarios.py    where the searches begin

A step is what a process does without another seeing it half done: one system call that matters. Where the order of two
such calls matters they are two steps. Processes that die leave what they wrote and lose what they held.
"""
