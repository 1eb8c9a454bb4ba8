"""Ways to read `time.time` in a workflow, and harmless lookalikes.

Each case begins with its name; then come the lines above the workflow, its body, and after `--` the reported
part, or the workflow's parameters.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One case."""

    above: str
    body: str
    last: str


def cases(table: str) -> dict[str, Case]:
    """Read a table."""
    read = {}
    for entry in filter(None, table.strip().split("== ")):
        name, _, rest = entry.partition("\n")
        above, body, last = rest.split("--", 2)
        read[name] = Case(above, body.strip("\n"), last.strip())
    return read


CLOCK_READS = cases(
    """
== import
import time
--
return time.time()
-- time.time
== alias
import time as t
--
return t.time()
-- t.time
== from import
from time import time
--
return time()
-- time
== from import as
from time import time as clock
--
return clock()
-- clock
== import in the body
--
import time
return time.time()
-- time.time
== from import in the body
--
from time import time
return time()
-- time
== alias in the body
--
import time as t
return t.time()
-- t.time
== star
from time import *
--
return time()
-- time
== import of two
import os, time
--
return time.time()
-- time.time
== conditional import
try:
    import fast_time as time
except ImportError:
    import time
--
import time as t
return t.time()
-- t.time
== variable
import time
--
clock = time.time
return clock()
-- time.time
== variable of a module
import time
clock = time.time
--
return clock()
-- clock
== variable that is a module
import time
--
t = time
return t.time()
-- t.time
== walrus
import time
--
if (clock := time.time):
    return clock()
-- time.time
== reference
import time
--
return list(map(time.time, []))
-- time.time
== keyword
import time
--
return sorted([1], key=time.time)
-- time.time
== partial
import time
from functools import partial
--
return partial(time.time)()
-- time.time
== partial of a module
import time
from functools import partial
clock = partial(time.time)
--
return clock()
-- clock
== getattr
import time
--
return getattr(time, 'time')()
-- getattr(time, 'time')
== lambda
import time
--
return (lambda: time.time())()
-- time.time
== lambda of a module
import time
clock = lambda: time.time()
--
return clock()
-- time.time
== list comprehension
import time
--
return [time.time() for _ in 'ab']
-- time.time
== condition of a comprehension
import time
--
return [1 for _ in 'a' if time.time()]
-- time.time
== dict comprehension
import time
--
return {n: time.time() for n in 'ab'}
-- time.time
== generator
import time
--
return sum(time.time() for _ in 'ab')
-- time.time
== nested function
import time
--
def stamp():
    return time.time()
return stamp()
-- time.time
== nested twice
import time
--
def outer():
    async def inner():
        return time.time()
    return inner()
return await outer()
-- time.time
== helper
import time
def helper():
    return time.time()
--
return helper()
-- time.time
== helper of a helper
import time
def one():
    return two()
def two():
    return time.time()
--
return one()
-- time.time
== helper passed as an argument
import time
def helper(n):
    return time.time()
--
return list(map(helper, [1]))
-- time.time
== helper that is async
import time
async def helper():
    return time.time()
--
return await helper()
-- time.time
== default of a helper
import time
def helper(at=time.time()):
    return at
--
return helper()
-- time.time
== decorator of a helper
import time
def timed(fn):
    def wrapped():
        return time.time(), fn()
    return wrapped
@timed
def helper():
    return 1
--
return helper()
-- time.time
== decorator with arguments
import time
def timed(n):
    def wrap(fn):
        def wrapped():
            return time.time(), fn()
        return wrapped
    return wrap
@timed(3)
def helper():
    return 1
--
return helper()
-- time.time
== method
import time
class Clock:
    def read(self):
        return time.time()
--
return Clock().read()
-- time.time
== method of a variable
import time
class Clock:
    def read(self):
        return time.time()
--
clock = Clock()
return clock.read()
-- time.time
== method of a method
import time
class Clock:
    def read(self):
        return self.real()
    def real(self):
        return time.time()
--
return Clock().read()
-- time.time
== inherited method
import time
class Base:
    def read(self):
        return time.time()
class Clock(Base):
    pass
--
return Clock().read()
-- time.time
== class method
import time
class Clock:
    @classmethod
    def read(cls):
        return time.time()
--
return Clock.read()
-- time.time
== property
import time
class Clock:
    @property
    def read(self):
        return time.time()
--
return Clock().read
-- time.time
== initialiser
import time
class Clock:
    def __init__(self):
        self.at = time.time()
--
return Clock()
-- time.time
== default factory
import time
from dataclasses import dataclass, field
@dataclass
class Order:
    at: float = field(default_factory=time.time)
--
return Order()
-- time.time
== default factory after a field without a position
import time
from dataclasses import dataclass, field
@dataclass
class Order:
    number: int = field(init=False, default=0)
    name: str = ""
    at: float = field(default_factory=time.time)
--
return Order('a')
-- time.time
== context manager
import time
class Timed:
    def __enter__(self):
        return time.time()
    def __exit__(self, *error): ...
--
with Timed():
    return 1
-- time.time
== annotated helper argument
import time
class Clock:
    def read(self):
        return time.time()
def helper(clock: Clock):
    return clock.read()
--
return helper(Clock())
-- time.time
== table of functions
import time
CLOCKS = {'a': time.time}
--
return CLOCKS['a']()
-- CLOCKS
== table of helpers
import time
def helper():
    return time.time()
CLOCKS = {'a': helper}
--
return CLOCKS['a']()
-- time.time
== argument of an activity
import time
--
return await step(time.time())
-- time.time
== value read when the module was loaded
import time
STARTED = time.time()
--
return STARTED
-- STARTED
== method of what was read when the module was loaded
from datetime import datetime
STARTED = datetime.now(UTC)
--
return STARTED.isoformat()
-- STARTED
== f-string
import time
--
return f'{time.time()}'
-- time.time
"""
)

# AST31: own names; AST34: other names of the same module; CMP47: activities.
HARMLESS = cases(
    """
== parameter of that name
--
return time.time()
-- time: Clock
== variable of that name
--
time = Watch()
return time.time()
--
== seeded generator passed as an argument
def pick(dice: random.Random) -> float:
    return dice.random()
--
return pick(random.Random(continuum.random()))
--
== default of a field that is given
import uuid
from dataclasses import dataclass, field
@dataclass
class Numbered:
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
@dataclass
class Named(Numbered):
    name: str = ""
--
return Numbered(continuum.uuid4().hex), Numbered(id=continuum.uuid4().hex), Named('1', 'ann')
--
== class used in isinstance
import uuid
from dataclasses import dataclass, field
@dataclass
class Numbered:
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
--
return isinstance(given, Numbered)
-- given: int
== own class of that name
class datetime:
    @staticmethod
    def now():
        return 1
--
return datetime.now()
--
== own function of that name
def open(name):
    return name
--
return open('a')
--
== own function named like a builtin
def hash(value):
    return 1
--
return hash('a')
--
== loop variable of that name
import time
--
return [time for time in [1, 2]]
--
== attribute of that name
--
return order.open
-- order: Order
== method of a value
--
return text.replace('a', 'b'), [3].index(3)
-- text: str
== annotation
import socket
--
peer: socket.socket | None = None
return peer
--
== import that is not used
import time
--
from time import monotonic
return 1
--
== import of something else
from time import struct_time as time
--
return time((1,) * 9)
--
== star that does not bring it
import time as t
from math import *
--
return time
-- time: float
== in an activity
import time
@activity
def now() -> float:
    return helper()
def helper():
    return time.time()
--
return await now()
--
== parameters of a helper
def helper(lock: asyncio.Lock, queue: "asyncio.Queue[int] | None", at: datetime, task: asyncio.Task[int]):
    return lock.locked(), queue.qsize(), at.isoformat(), task.cancel()
--
return helper(asyncio.Lock(), asyncio.Queue(), continuum.now(), asyncio.create_task(step(1)))
--
== in an activity of the body
import time
--
@activity
def now():
    return time.time()
return 1
--
== in a helper nobody calls
import time
def helper():
    return time.time()
--
return 1
--
== in the body of a decorator
def noted(fn):
    print(fn)
    return fn
@noted
def helper():
    return 1
--
return helper()
--
== in repr
class A:
    def __repr__(self):
        return str(id(self))
--
return A()
--
"""
)
