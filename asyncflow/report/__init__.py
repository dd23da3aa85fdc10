"""Text views of runs: the attempt timeline, the live view, the lists, and one run in full.

Every view is made as plain lines of styled pieces, fitted to a width and to what the terminal can show.
Only `console` and `live` know rich, which is imported when something is drawn in colour.
"""
