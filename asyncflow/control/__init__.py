"""Control flow between tasks: branches, filters, and resources that are set up and cleaned up.

What these names do is wired before any value is there, so they work in every kind of flow. An `async def`
flow may also await a handle and write a plain `if`.
"""

from asyncflow.control.branches import case, ifelse, switch
from asyncflow.control.filters import FilterTask, filter_results
from asyncflow.control.merging import merge
from asyncflow.control.resources import ResourceManager, resource_manager

__all__ = [
    "FilterTask",
    "ResourceManager",
    "case",
    "filter_results",
    "ifelse",
    "merge",
    "resource_manager",
    "switch",
]
