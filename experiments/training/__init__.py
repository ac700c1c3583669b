"""Making runs: one in this process, or many in processes of their own.

Read ``train`` first; ``monitor`` is what is measured on the way, ``sweep`` trains many at once.
"""
