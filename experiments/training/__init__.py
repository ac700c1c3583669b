"""Making runs: one in this process, or many in processes of their own.

Read ``train`` first; ``monitor`` is what is measured on the way. ``sweep`` trains many runs at
once, each in a ``worker``; ``processes`` is what every child process needs.
"""
