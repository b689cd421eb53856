"""CARRY: keep every copy elsewhere in step."""
