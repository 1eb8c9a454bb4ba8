"""`python -m continuum.cli` is `continuum`."""

from __future__ import annotations

import sys

from continuum.cli import main

sys.exit(main())
