"""The results that come with the package: those of a full debate, and a trained agent a task.

Read ``read`` first; ``make`` makes ``data/`` of a finished debate.
"""
