"""The contract of an SDK, held against a fake hub and the real one; see README.md beside this."""
