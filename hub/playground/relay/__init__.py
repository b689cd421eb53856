"""Prompts run for programs: a call names a prompt, the hub fills it in and asks a model."""
