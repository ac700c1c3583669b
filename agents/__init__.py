"""Agents with one interface: references, online learners, hand-wired controls, trained policies."""
