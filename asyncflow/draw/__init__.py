"""Drawings of a flow's graph: SVG, PDF, Graphviz, Mermaid and text, with nothing but Python."""

from asyncflow.draw.files import save
from asyncflow.draw.formats import render
from asyncflow.draw.text import as_text

__all__ = ["as_text", "render", "save"]
