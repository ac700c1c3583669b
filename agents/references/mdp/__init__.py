"""Policies of random Markov decision processes, on Dirichlet and normal posteriors.

Read ``posterior.py`` first; ``policies.py`` has the three processes that are planned in: the
posterior mean, the mean with an exploration bonus, and a draw from the posterior.
"""
