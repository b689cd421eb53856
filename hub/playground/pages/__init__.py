"""The playground's pages: try, grids, examples, models."""
