"""What happened in a simulated world, as canonical text: written, read and compared."""
