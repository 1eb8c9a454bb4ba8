"""One module for each measured system: what the same few actions are called there.

Each runs in that system's environment.
"""
