"""What the Gaussian, restless and linear bandits share: choices by a normal belief about each arm.

Read ``choices.py`` first (greedy, upper bound, Thompson); ``two_arms.py`` and ``gittins_bonus.py``
are the plans that rest on ``piecewise_linear.py``.
"""
