"""The network side of a rehearsal: replica servers, HTTP faults, and the redirect of host names.

This package itself imports nothing, so a fault or a redirect can be described without loading aiohttp.
"""
