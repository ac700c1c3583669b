"""How often the probes' 95% intervals hold: effects of known size, measured many times.

Read ``planted`` first, which lists the effects; ``calibrate`` counts how often they are covered,
``page`` writes it down. ``histories`` works out what is known by enumeration.
"""
