"""The outer algorithm online: networks of one shape, each with weights that RL changes for ever.

Begin with ``learning.py``: what a replica carries, and when and how its weights are updated.
"""
