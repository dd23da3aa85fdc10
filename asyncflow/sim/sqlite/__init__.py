"""SQLite in a simulated world: aiosqlite without its threads, and where SQLite takes time and chance from."""
