"""Train the built-in model from nothing: generated data, own tokenizer, a few CPU minutes."""
