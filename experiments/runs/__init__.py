"""Run directories: the settings of a training run, what it leaves behind, how it is read back.

Read ``config`` first (what decides a run, and its name), then
``records`` (when it is finished and whole). ``load`` makes an agent of it; ``subject`` is what a
person names to be measured.
"""
