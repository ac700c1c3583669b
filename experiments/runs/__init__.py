"""Run directories: the settings of a training run, what it leaves behind, how it is read back.

Read ``config`` first, then ``folder``; ``build`` and ``load`` make models and agents of them.
"""
