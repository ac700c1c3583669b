"""The command line ``metalocus``.

Read ``registry`` first: every function in ``commands/`` is a command. ``parsing`` finds which one
is asked for, ``main`` runs it, ``options`` and ``texts`` are what it takes, ``tables`` what it
prints.
"""
