"""Prompts of other places, brought in by the browser: read, shown with all they lose, decided."""
