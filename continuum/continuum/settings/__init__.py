"""How a node behaves. Read `settings.py` first; `rules.py` says which values are accepted."""
