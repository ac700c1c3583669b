"""Hidden-Markov filters of tasks whose hidden state switches within an episode.

Read ``hidden_markov.py`` first (one step of the forward recursion), then ``reversal.py``;
``volatile.py`` also infers the hazard, ``rule.py`` the rule that cards are sorted by.
"""
