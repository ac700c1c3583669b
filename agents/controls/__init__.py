"""Hand-wired agents whose locus of adaptation is known: they calibrate the probes.

Read ``counting.py`` first: all count alike and differ in the stores that hold the counts.
``one_store.py`` and ``two_stores.py`` say which; those in ``misleading.py`` fool naive probes.
"""
