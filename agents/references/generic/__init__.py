"""Policies of any task, and choices by a normal belief."""
