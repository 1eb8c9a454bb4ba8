"""The source text of functions: normal form, reachable code, content hash."""
