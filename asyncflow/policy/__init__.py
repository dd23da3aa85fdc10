"""Decisions: plain functions and small state machines that say what a policy wants; nothing here can wait."""
