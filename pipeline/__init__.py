"""Video expression retargeting: what the command line does, as a library."""
