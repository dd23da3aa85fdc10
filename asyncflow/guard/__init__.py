"""The guard: one coroutine frame that runs a body under its policies, and waits where decisions can't."""
