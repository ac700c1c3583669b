"""Policies of Bernoulli bandits, by counts of successes and failures."""
