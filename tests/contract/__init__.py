"""The contract of an SDK, held against a fake hub on real sockets; see README.md beside this."""
