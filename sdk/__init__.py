"""Prompt Hub's SDK."""
