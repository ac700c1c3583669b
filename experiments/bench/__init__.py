"""Speed, as ratios within one run.

Read ``benches`` first: what ``metalocus bench`` measures is ``env``, ``train`` and ``probe``.
"""
