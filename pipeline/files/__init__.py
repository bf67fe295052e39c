"""Files as such: whole or not at all, sequences of pictures, text with line numbers."""
