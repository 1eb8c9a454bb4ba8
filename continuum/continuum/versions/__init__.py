"""Versions of workflow code: which ones a node has loaded, and how it keeps an old one.

Start with `loaded_code.py` (workflows and activities by name and version), then `pinning.py` (stored source
of old versions) and `referenced_workflows.py` (children that the code names). The hash that names a version
is in `continuum.source`. The journal and the dispatcher decide which version executes which run.
"""
