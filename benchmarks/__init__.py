"""Measures what asyncflow costs; run `python -m benchmarks --help` in a checkout.

One module answers one question and yields `Row`s: `engine`, `durable`, `retries`, `memory`, `scaling`,
`start` and `policies`. What they share is in the others. `docs/performance.md` says how to read the numbers.
"""
