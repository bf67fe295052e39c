"""Many clips, unattended: sheets of jobs, workers, the manifest, what survives a crash."""
