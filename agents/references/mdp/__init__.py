"""Policies of random Markov decision processes."""
