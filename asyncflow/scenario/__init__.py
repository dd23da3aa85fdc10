"""Rehearsals: what a scenario file says, and what it makes of a flow."""
