"""Policies of linear contextual arms, on Bayesian linear regression.

Read ``regression.py`` first, then ``policies.py`` (greedy, LinUCB, Thompson).
"""
