"""Policies of the two-step task."""
