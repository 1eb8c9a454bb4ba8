"""The standard library as the scanner sees it: where it is installed, and which modules may be used freely.

Not here: denied names (`denied_names.py`), which take precedence.
"""

from __future__ import annotations

import functools
import importlib
import sys
import sysconfig


def words(text: str) -> frozenset[str]:
    """Return the words of a text; a table of names is easier to read as text than as quoted strings."""
    return frozenset(text.split())


# Deterministic modules without effects: of the standard library, and libraries that make values.
FREE = words(
    """
    __future__ abc array ast asyncio base64 binascii bisect builtins calendar cmath collections colorsys
    concurrent.futures contextlib copy copyreg csv dataclasses datetime decimal difflib email.utils enum errno
    fnmatch fractions functools graphlib hashlib heapq hmac html http importlib inspect io ipaddress itertools
    json keyword logging math mimetypes numbers operator os os.path pathlib pickle platform pprint queue
    quopri random re reprlib secrets signal socket statistics string stringprep struct sys textwrap time
    tokenize traceback types typing typing_extensions unicodedata urllib.parse uuid weakref
    attr attrs cattrs pydantic xml.etree.ElementTree xml.sax.saxutils zlib zoneinfo
    """
)


def is_free(dotted: str) -> bool:
    """Tell whether a name belongs to a free module; its denied names were checked before."""
    name = dotted
    while name:
        if name in FREE:
            return True
        name = name.rpartition(".")[0]
    return False


@functools.cache
def exports(module: str) -> frozenset[str]:
    """Return the names that `from module import *` binds, for modules of the standard library and of ours."""
    top = module.partition(".")[0]
    if top not in sys.stdlib_module_names and top != "continuum":
        return frozenset()
    try:
        loaded = importlib.import_module(module)
    except ImportError:
        return frozenset()
    listed = getattr(loaded, "__all__", None)
    return frozenset(listed or (name for name in vars(loaded) if not name.startswith("_")))


@functools.cache
def standard_folders() -> tuple[str, ...]:
    """Return the folders of the standard library."""
    paths = sysconfig.get_paths()
    return tuple({paths["stdlib"], paths["platstdlib"]})


@functools.cache
def installed_folders() -> tuple[str, ...]:
    """Return the folders where packages are installed."""
    paths = sysconfig.get_paths()
    return tuple({paths["purelib"], paths["platlib"]})
