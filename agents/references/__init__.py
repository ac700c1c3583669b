"""Analytic policies, in a subfolder for each kind of task with the beliefs they use beside them.

Each class with a ``name`` is found by its presence in any file of these folders; the catalogue
lists them. Read ``generic/policies.py`` first, then ``bernoulli/counts.py`` and its policies.
"""
