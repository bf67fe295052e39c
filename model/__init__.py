"""The network, its geometry and its checkpoints. Knows torch only."""
