"""Where runs are kept: in memory, or in a SQLite file that outlives the process."""

from asyncflow.store.location import choose, data_folder, open_or_memory, told
from asyncflow.store.memory import MemoryStore
from asyncflow.store.sqlite import SQLiteStore

__all__ = ["MemoryStore", "SQLiteStore", "choose", "data_folder", "open_or_memory", "told"]
