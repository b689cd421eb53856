"""Prompt Hub: the place where a team's prompts live."""

__version__ = "0.1.0"
