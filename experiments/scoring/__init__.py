"""How good an agent is: returns of episodes, scores of settings, choice values of trials.

Read ``settings`` first, then ``returns`` and ``curves``. ``chunks`` plays many episodes and
``sample`` pools what was measured, both in bounded memory; ``intervals`` says how sure it is.
"""
