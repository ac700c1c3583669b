"""What is trained and measured, whatever asks for it: claims, curves, entries of a table.

Read ``study`` first, then ``measure_all``, which trains and measures. ``job`` is one study at one
training seed, and keeps what was measured.
"""
