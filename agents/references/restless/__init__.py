"""Policies of arms that drift."""
