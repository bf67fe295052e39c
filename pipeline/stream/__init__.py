"""How stages are strung together: running ahead in a thread, timing, progress."""
