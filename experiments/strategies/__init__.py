"""Which strategy a sequence of choices follows: what each predicts, fitted and compared.

Read ``strategy`` first, what all are. The strategies are in ``learners``, ``filters``,
``heuristics`` and ``two_step``; ``candidates`` says which a family has. ``evidence`` is what they
are fitted to, ``histories`` those on which they disagree, ``reader`` the probe's comparison.
"""
