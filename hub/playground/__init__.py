"""TRY: run prompts and measure them; changes no prompt."""
