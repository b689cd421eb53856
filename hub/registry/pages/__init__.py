"""The registry's pages: finding, writing, looking back, releasing."""
