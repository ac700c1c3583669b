"""Policies of linear contextual arms."""
