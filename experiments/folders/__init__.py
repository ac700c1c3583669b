"""A run's folder on disk: names and places, who holds it, progress and results in it.

Read ``folder`` first: the names of the files, and how they are read whole.
"""
