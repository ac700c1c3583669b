"""Policies of the dataset bandit, which shows labelled examples before it asks.

Examples of arms and rewards: ``posterior.py``. Examples of inputs and labels: read
``labels.py`` first, then the three classifiers beside it.
"""
