"""The composition root: knows every part, holds no rule."""
