"""Filters of hidden switches."""
