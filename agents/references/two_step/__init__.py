"""Policies of the two-step task of Daw et al. 2011.

``filter.py`` infers what pays and plans; ``hybrid.py`` has Daw's model-free, model-based and
mixed learners.
"""
