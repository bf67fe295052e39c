"""The trainer: from a folder of clips and photos to a checkpoint, and its evaluation."""
