"""Floor 3: template and contact become the bytes of a message."""
