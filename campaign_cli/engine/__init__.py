"""Floor 4: the run. Plan, lanes, drain, stop."""
