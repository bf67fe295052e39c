"""How fast training is, measured and printed as JSON."""
