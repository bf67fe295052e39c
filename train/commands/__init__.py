"""The command line: it fills options and calls one function a command."""
