"""Policies that need to remember and not to infer."""
