"""How good an agent is: returns, scores and choice values, with their intervals.

Read ``settings`` first, then ``curves``.
"""
