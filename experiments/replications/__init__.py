"""Published results, run again: one paper a file.

Read ``base`` first: what a replication states, and when it counts as passed. ``rl2_bandits`` is the
first to look at. ``replicate`` trains, measures and judges; ``output`` writes the files, ``page``
the page of all of them. ``totals`` plays agents and references on the same episodes.
"""
