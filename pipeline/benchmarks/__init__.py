"""What the pipeline costs, measured and printed as JSON."""
