"""Templates: text with variables in it, in three engines. What a variable holds is never read as template code."""

from agents.templates.engine import names, render, render_tree
from agents.templates.errors import MissingVariable, TemplateError, TemplateFault

__all__ = ["MissingVariable", "TemplateError", "TemplateFault", "names", "render", "render_tree"]
