"""Policies of Bernoulli arms, on the counts of successes and failures (Beta posteriors).

Read ``counts.py`` first, then ``policies.py``; ``index.py`` is the base of the two index
policies, ``planning.py`` of the Bayes-optimal one, ``quadrature.py`` of Thompson sampling.
"""
