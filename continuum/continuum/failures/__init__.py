"""How exceptions are described, whatever they do when they are asked. Read `exception_text.py`."""
