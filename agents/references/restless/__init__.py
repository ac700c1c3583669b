"""Policies of Gaussian arms whose means drift, on one Kalman filter an arm.

Read ``kalman_filter.py`` first, then ``policies.py`` (greedy, upper bound, Thompson);
``grid.py`` is the two-arm optimum on a grid of the filter's beliefs.
"""
