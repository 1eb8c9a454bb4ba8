"""Drift, history and code that differ: the deploy check, patch suggestions, the report on one run.

Read `comparison.py` first. Nothing here writes to the journal.
"""
