"""Numbers as texts write them: digits of every script, thousands, fractions, LaTeX."""
