"""Many runs: here, on a cluster by Ray, or on one that is shared by Slurm.

Read ``sweep`` first. An ``order`` is the worker's command for one run directory, an executor in
``executors/`` has orders carried out somewhere, ``fork_server`` is the process there, ``forking``
gives it a child for each order, and ``worker`` is what the child does: it trains. ``plan`` reads a
sweep's file, ``journal`` records what became of every attempt, ``status`` reads that from any other
process, ``gather`` makes one table of all results, ``soak`` tries all of it by force.
"""
