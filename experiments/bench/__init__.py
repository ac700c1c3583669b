"""Speed, as ratios within one run, and the search for the constants of online learners.

Read ``benches`` first: what ``metalocus bench`` measures is ``env``, ``train`` and ``probe``.
``tune_online`` is run by hand, when an online rule is added or changed.
"""
