"""Trainers: the ways in which an agent is trained, one a file.

Read ``base`` first: what a trainer is, and how the ones here are found.
"""
