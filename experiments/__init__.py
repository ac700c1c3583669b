"""What is asked of agents: how well they do, where what they learn is held, which side is right.

Read ``runs`` first (what a training run is), then ``probes/base.py`` and ``claims/base.py``; every
command is a function in ``cli/commands/``.
"""
