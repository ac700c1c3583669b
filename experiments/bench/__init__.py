"""Speed, as ratios within one run, and the search for the constants of online learners.

Read ``speed`` first.
"""
