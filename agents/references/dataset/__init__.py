"""Policies that choose from labelled examples."""
