"""A repository elsewhere, kept in step both ways: see docs/sync.md."""
