"""Experiments: training, rollouts, probes, claims, statistics, report and command line."""
