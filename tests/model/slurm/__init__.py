"""The Slurm launcher's protocol as an explicit-state model, searched like the protocol of one machine.

Read in this order:

    state.py        the record, claims, the cluster's queue, and the processes on login nodes and nodes
    rules.py        the rules of the protocol, each of which can be switched off
    login.py        the supervisor of a login node; commands that stop, edit and resume
    node.py         the job's program, its guardian and the script
    cluster.py      what Slurm does by itself, its faults, and kill -9 of any process
    invariants.py   what must hold in every state and at every step
    scenarios.py    the initial states of the searches

Locks reach no other machine here, which is the weaker guarantee. What the model of one machine covers is one step:
the start of the script by the guardian, and the index.
"""
