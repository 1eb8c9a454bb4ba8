"""Histories held against code: the deploy check, patch suggestions, the report on one run."""
