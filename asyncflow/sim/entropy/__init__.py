"""Time and chance of a simulated world, in the place of the process's own."""
