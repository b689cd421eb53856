"""What stands behind `git_http`: who is served and how, and what becomes of a push."""
