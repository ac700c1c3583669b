"""Runs that come from elsewhere and go elsewhere: archives, and zips of other libraries.

Read ``exchange`` first, the archive of a run; ``adopt`` makes a run of a zip that SB3 wrote.
"""
