"""Tuning: the constants of an online rule, found within a budget of environment steps.

Read ``search`` first, the one protocol for every rule, task and budget.
``python -m metalocus.experiments.tuning`` runs it and prints what it finds.
"""
