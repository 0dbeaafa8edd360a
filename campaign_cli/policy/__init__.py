"""Floor 2: decisions without I/O. Standard library only; `now` and randomness are arguments."""
