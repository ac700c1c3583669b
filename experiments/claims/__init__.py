"""One claim of the debate a file; each is found by its presence here.

Read ``base`` first: what a claim, a prediction and a verdict are. ``wording`` puts verdicts into
words.
"""
