"""What people and programs look at, from SQL alone."""
