"""Measures what asyncflow costs; run `python -m benchmarks --help` in a checkout.

One module answers one question; each yields `Row`s. What they share is in `measure`, `shapes`, `rows`,
`against_bare`,
`children`, `resident` and `table`. `docs/performance.md` says how to read the numbers.
"""
