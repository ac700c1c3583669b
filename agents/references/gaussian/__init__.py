"""Policies of stationary Gaussian arms, on the conjugate posterior.

Read ``posterior.py`` first, then ``policies.py`` (greedy, upper bound, Thompson); the others
look ahead: the Gittins index, the knowledge gradient and the two-arm optimum on a grid.
"""
