"""DECIDE: prompts and how people agree on them."""
