"""WHO: accounts, sign-in, roles, API keys, audit, the one policy function."""
