"""What is measured on an agent: one probe a file, found by its presence here.

Read ``base`` first, then ``carry``, the simplest probe. ``shapley`` divides a value among stores;
``measure`` probes a trained run.
"""
