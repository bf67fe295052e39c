"""Other people's networks brought into our files, once."""
