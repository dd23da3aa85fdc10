"""Example flows: the ones that the scenarios rehearse, and that run against the live hosts too."""
