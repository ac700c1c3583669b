"""Who learns: agents with one interface, on which every probe works.

Read ``agent`` first, the interface and the three stores, then ``rollout``, which plays an agent on
episodes. ``cells`` and ``ppo`` make and train policies, ``trained`` turns policies into agents;
``online``, ``references`` and ``controls`` need no training, and ``catalogue`` lists them.
"""
