"""Trained policies as agents, so that probes can reach what they carry.

Read ``frozen`` first; ``rewritten`` and ``test_time`` are other forms of the same policy.
"""
