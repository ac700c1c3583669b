"""Every probe on many agents: what each of them found, in sentences, on one page.

Read ``survey`` first, which measures and keeps what it found; ``page`` writes it down.
"""
