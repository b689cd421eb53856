"""Every change: asked for, settled in a batch, written down, and recovered after a crash."""
