"""The REST interface: addresses, what it takes and gives."""
