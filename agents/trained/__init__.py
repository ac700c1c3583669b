"""Trained policies as agents, so that probes can reach what they carry.

Read ``frozen`` first, with ``observing`` for what an agent keeps of its last trial. ``rewritten``
and ``test_time`` are other forms of the same policy, ``foreign`` reads models of other libraries.
"""
