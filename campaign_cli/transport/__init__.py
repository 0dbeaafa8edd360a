"""Floor 3: message becomes reply. Sessions with relays, and the sandbox."""
