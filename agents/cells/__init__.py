"""One sequence model a file, with the agents that are made of it; each is found by its presence.

Read ``base`` first, the contract of a cell, then ``rnn``, the shortest one with a memory. Files
that begin with an underscore hold what several cells share.
"""
