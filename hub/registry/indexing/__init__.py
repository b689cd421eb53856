"""The one indexer: commits into rows, the same for a save, a push, recovery and a rebuild."""
