"""What a person uses while writing workflows: `continuum init` and `continuum dev`.

Start with `new_project.py` (the files of a new project, from `templates/`).
"""
