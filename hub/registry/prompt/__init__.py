"""A prompt as a value: its file, what may stand in it, what changed, how edits meet. Pure."""
