"""Online update rules: memoryless policies whose weights change after every trial.

One rule a file. Read ``learner.py`` first, the base of all, then ``delta_rule.py``;
``update_interval.py`` makes the changes of any rule take effect later.
"""
