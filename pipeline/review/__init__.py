"""To look at what was done: previews, plots, the quality of a clip, the report page."""
