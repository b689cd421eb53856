"""Where labels point, what would move, what moved, and what shall move at a moment to come."""
