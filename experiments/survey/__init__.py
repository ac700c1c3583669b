"""Every probe on many agents: what each of them found, in sentences, on one page.

Read ``survey`` first, which asks; ``standing`` has the scores beside simple rules, ``kept`` keeps
what was measured, ``page`` writes it down.
"""
