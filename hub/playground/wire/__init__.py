"""One adapter per dialect of model endpoint: pure bytes in, events out; no network, no database."""
