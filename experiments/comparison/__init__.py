"""Every agent on every kind of task, in one table.

Read ``compare`` first; ``page`` writes it down.
"""
