"""The network of a simulated world: names, listeners and connections, all in memory."""
