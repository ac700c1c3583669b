"""The main job: every claim trained for, measured, judged and written down.

Read ``main`` first; ``report`` and ``figures`` show what it found, ``more`` gives what is shipped
further training seeds.
"""
