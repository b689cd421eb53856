"""Review: how a change is proposed, read, talked about, approved and merged."""
