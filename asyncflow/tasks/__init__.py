"""Ready-made tasks."""

from asyncflow.tasks.sqlite import SQLiteScript

__all__ = ["SQLiteScript"]
