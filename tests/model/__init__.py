"""The run protocol as an explicit-state model: every interleaving and every crash is explored, not a sample.

Read in this order:

    state.py        what is on disk, which processes are alive, which process holds which lock
    rules.py        the rules of the protocol, each of which can be switched off
    front_ends.py   queue, stop, resume, and how any process wakes a supervisor
    supervisor.py   the pass, recovery, the exit
    fork_server.py  how a runner is started
    runner.py       start, adoption, watching, the end
    script.py       the child between fork and exit
    faults.py       kill -9 of any process at any step, power cuts, the next command
    invariants.py   what must hold in every state and at every step
    search.py       breadth-first search over all of it
    scenarios.py    the initial states of the searches
    slurm/          the protocol between login nodes, Slurm and nodes, a model of its own for the same search

A step is atomic for the other processes: one system call that matters. When the order of two such calls matters they
are two steps. When a process dies, what it wrote stays and what it held is released.
"""
