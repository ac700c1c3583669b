"""Optimal policies of tasks whose hidden facts stay as they are within an episode.

What has been seen needs only to be remembered: which object, colour, key, binding or target
pays. Read ``harlow.py`` first.
"""
