"""Floor 1: frozen values and the lifecycle. Standard library only; no I/O, no clock."""
