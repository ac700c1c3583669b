"""Policies of stationary Gaussian arms."""
