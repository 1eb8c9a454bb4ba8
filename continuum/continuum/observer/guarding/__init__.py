"""What decides who sees what, and who changes it: sessions, tokens, links, origins and headers."""
