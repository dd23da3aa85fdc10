"""What is real, and must not be touched in a simulated world: refused, remembered, named."""
