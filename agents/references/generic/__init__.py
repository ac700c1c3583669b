"""Policies that play any task: both ends of the scale, and rules without a model of the task.

All are in ``policies.py``.
"""
