"""Floor 3: what became of every row, as CSV."""
