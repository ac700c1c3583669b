"""What is measured on an agent: one probe a file, found by its presence here.

Read ``base`` first, then ``carry``, the simplest probe. ``rows``, ``figures`` and ``output`` are
the tidy table, the picture and the files of a result; ``measure`` probes what a person names. What
several probes measure with is in the room of instruments.
"""
