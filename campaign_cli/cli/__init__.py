"""Floor 5: what a person types, and what they are shown. No logic."""
