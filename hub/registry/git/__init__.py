"""The only git: children, commits, refs, and what somebody pushes kept apart while it is judged."""
