"""What the user asks for: the recipe's schema, presets, and mergekit's files in and out."""
