"""Which names fall under which rule. A name covers everything below it; the longest match decides.

A module that is mostly impure is denied as a whole and its pure parts are allowed by name, because a list
of impure functions is never complete. `X()` is the result of calling `X`, mostly an instance. A line
`prefix: a b` means `prefix.a prefix.b`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TypeAlias

from continuum.scanner import rules
from continuum.scanner.rules import Rule
from continuum.scanner.standard_library import words

# The rule, and what to write instead if there is a more precise hint than that of the rule.
Denial: TypeAlias = tuple[Rule, str | None]

_STAMP = "use `continuum.now().timestamp()`"
_ELAPSED = "subtract two `continuum.now()`, or measure in an @activity"
_SEEDED = "use `random.Random(continuum.random())`, or derive the choice from `continuum.random()`"
_TOKEN = "use `continuum.uuid4().hex` for a token, or generate it in an @activity"
_CHILD = "start root runs outside of workflows; use `await child(1)` to run another workflow from here"
_ACTIVITY = "do it in an @activity"
_AWAITED = "use `await continuum.wait_signal('done')` or `await child(1)`"
_INFO = "use `continuum.info()`, or pass it as input"
_BARE = "call the function by its name"

_DENIED: tuple[tuple[Rule, str | None, str], ...] = (
    (rules.CLOCK, None, "datetime.datetime: now utcnow"),
    (rules.CLOCK, "use `continuum.today()`", "datetime.date.today datetime.datetime.today"),
    (rules.CLOCK, _STAMP, "time"),
    (rules.CLOCK, "use `continuum.now()`", "time: localtime gmtime ctime asctime strftime"),
    (
        rules.CLOCK,
        _ELAPSED,
        """timeit
        time: monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns thread_time
        time: thread_time_ns""",
    ),
    (rules.TIME_ZONE, None, "time: tzset timezone tzname altzone daylight mktime"),
    (rules.RANDOM, None, "random os.urandom os.getrandom numpy.random"),
    (rules.RANDOM, _SEEDED, "random: choice choices sample shuffle Random"),
    (rules.RANDOM, _TOKEN, "secrets"),
    (rules.UUID, None, "uuid: uuid1 uuid4 uuid6 uuid7 uuid8"),
    (
        rules.ENVIRONMENT,
        None,
        """os sys platform locale getpass pwd grp resource sysconfig site gc weakref tracemalloc faulthandler
        ctypes argparse optparse importlib.metadata importlib.resources multiprocessing.cpu_count
        socket: gethostname getfqdn
        inspect: stack currentframe
        threading: get_ident get_native_id current_thread active_count""",
    ),
    (rules.ENVIRONMENT, "pass it as input", "uuid.getnode"),
    (rules.ENVIRONMENT, _INFO, "os.getpid os.getppid sys.argv"),
    (rules.ENVIRONMENT, "pass it as an argument", "contextvars threading.local"),
    (rules.ENVIRONMENT, "raise an exception, or return", "sys.exit builtins.exit builtins.quit"),
    (rules.IDENTITY, None, "builtins: id hash"),
    (
        rules.FILES,
        None,
        """builtins.open codecs.open shutil tempfile glob fileinput zipfile tarfile gzip.open bz2.open
        lzma.open mmap fcntl linecache filecmp shelve dbm aiofiles
        io: open FileIO open_code
        os: access chdir chmod chown close copy_file_range dup fchdir fdopen fsync ftruncate fwalk getcwd
        os: getcwdb link listdir lseek lstat makedirs mkdir mkfifo mknod open pipe pread pwrite read
        os: readlink remove removedirs rename renames replace rmdir scandir sendfile stat statvfs symlink
        os: sync truncate umask unlink utime walk write
        os.path: abspath exists expanduser expandvars getatime getctime getmtime getsize isdir isfile
        os.path: islink ismount lexists realpath relpath samefile
        pathlib.Path: cwd home""",
    ),
    *(
        (rules.FILES, None, f"{made}: {names}")
        for made in ("pathlib.Path", "pathlib.Path()", "pathlib.PosixPath", "pathlib.PosixPath()")
        for names in (
            "absolute chmod copy exists expanduser glob group hardlink_to is_block_device is_char_device",
            "is_dir is_fifo is_file is_junction is_mount is_socket is_symlink iterdir lchmod lstat mkdir",
            "move open owner read_bytes read_text readlink rename replace resolve rglob rmdir samefile",
            "stat symlink_to touch unlink walk write_bytes write_text",
        )
    ),
    (
        rules.NETWORK,
        None,
        """socket ssl select selectors socketserver http.client http.server urllib.request webbrowser wsgiref
        urllib.robotparser smtplib imaplib poplib ftplib telnetlib nntplib xmlrpc requests httpx aiohttp
        urllib3 websockets websocket grpc boto3 botocore aioboto3 pika aio_pika kafka aiokafka
        confluent_kafka nats paramiko asyncssh dns zmq""",
    ),
    (
        rules.DATABASE,
        None,
        """sqlite3 psycopg psycopg2 psycopg_pool asyncpg aiosqlite aiomysql pymysql mysql MySQLdb oracledb
        pyodbc sqlalchemy sqlmodel django.db tortoise peewee pymongo motor redis aioredis memcache pymemcache
        elasticsearch cassandra duckdb""",
    ),
    (
        rules.SUBPROCESS,
        None,
        """subprocess pty signal psutil sh pexpect
        os: system popen fork forkpty kill killpg wait waitpid spawnl spawnle spawnlp spawnlpe spawnv
        os: spawnve spawnvp spawnvpe execl execle execlp execlpe execv execve execvp execvpe posix_spawn
        os: posix_spawnp abort _exit nice setsid startfile pidfd_open""",
    ),
    (
        rules.THREADS,
        None,
        """threading _thread multiprocessing concurrent.futures queue sched asyncio.to_thread joblib dask""",
    ),
    (rules.ASYNCIO, None, "asyncio"),
    (rules.ASYNCIO, "use asyncio, or do it in an @activity", "anyio trio"),
    (rules.ASYNCIO, "await the coroutine", "asyncio: run Runner"),
    *(
        (rule, _ACTIVITY, f"{loop}: {names}")
        for loop in ("asyncio.get_running_loop()", "asyncio.get_event_loop()", "asyncio.AbstractEventLoop()")
        for rule, names in (
            (rules.THREADS, "run_in_executor set_default_executor call_soon_threadsafe"),
            (rules.ASYNCIO, "getaddrinfo getnameinfo create_connection create_server sendfile start_tls"),
            (rules.ASYNCIO, "create_unix_connection create_unix_server create_datagram_endpoint stop close"),
            (rules.ASYNCIO, "connect_read_pipe connect_write_pipe connect_accepted_socket subprocess_exec"),
            (
                rules.ASYNCIO,
                "subprocess_shell add_signal_handler remove_signal_handler add_reader",
            ),
            (
                rules.ASYNCIO,
                "add_writer remove_reader remove_writer sock_recv sock_recv_into sock_sendall sock_connect",
            ),
            (rules.ASYNCIO, "sock_accept sock_sendfile run_forever run_until_complete"),
        )
    ),
    (rules.SLEEP, None, "time.sleep"),
    (
        rules.OUTPUT,
        None,
        """builtins.print logging warnings sys.stdout sys.stderr structlog loguru rich.print
        pprint: pp pprint
        traceback: print_exc print_exception print_stack""",
    ),
    (rules.INPUT, None, "builtins.input builtins.breakpoint sys.stdin sys.breakpointhook pdb code"),
    (
        rules.DYNAMIC_CODE,
        _BARE,
        """importlib runpy pkgutil sys.modules types.FunctionType
        builtins: eval exec compile __import__ globals __builtins__""",
    ),
    (rules.DYNAMIC_CODE, "name the variables", "builtins: locals vars"),
    (rules.DYNAMIC_CODE, "use `json.loads(text)`", "pickle marshal"),
    (rules.CLIENT, _CHILD, "continuum.start"),
    (rules.CLIENT, _ACTIVITY, "continuum: signal cancel unblock set_attributes options"),
    (rules.CLIENT, _AWAITED, "continuum.await_run"),
    (
        rules.CLIENT,
        None,
        """continuum: query get_run events connect connect_sync configure disconnect client cli node
        continuum: Client children SyncClient RunHandle SyncRunHandle testing configure_scanner
        continuum_actors continuum_supervision""",
    ),
)

# Pure parts of what is denied above.
_ALLOWED = """
    time: struct_time strptime
    os: path sep linesep pathsep extsep curdir pardir altsep fspath PathLike SEEK_SET
    sys: maxsize float_info int_info hash_info intern maxunicode exc_info
    socket: AddressFamily SocketKind timeout htons htonl ntohs ntohl inet_aton inet_ntoa inet_pton inet_ntop
    http: HTTPStatus HTTPMethod
    signal.Signals secrets.compare_digest importlib.abc pickle.HIGHEST_PROTOCOL weakref.ReferenceType
    concurrent.futures: CancelledError TimeoutError
    logging: DEBUG INFO WARNING ERROR CRITICAL
    queue: Empty Full
    asyncio: ALL_COMPLETED FIRST_COMPLETED FIRST_EXCEPTION AbstractEventLoop Barrier BoundedSemaphore
    asyncio: BrokenBarrierError CancelledError Condition Event Future InvalidStateError LifoQueue Lock
    asyncio: PriorityQueue Queue QueueEmpty QueueFull QueueShutDown Semaphore Task TaskGroup Timeout
    asyncio: TimeoutError all_tasks as_completed create_task current_task ensure_future exceptions gather
    asyncio: get_event_loop get_running_loop iscoroutine iscoroutinefunction isfuture locks queues shield
    asyncio: sleep timeout timeout_at wait wait_for
"""


def _names(table: str) -> Iterator[str]:
    for line in table.splitlines():
        prefix, colon, names = line.rpartition(":")
        for name in names.split():
            yield f"{prefix.strip()}.{name}" if colon else name


DENIED: dict[str, Denial] = {
    name: (rule, instead) for rule, instead, table in _DENIED for name in _names(table)
}
ALLOWED: frozenset[str] = frozenset(_names(_ALLOWED))

# What a producer of `side_effect` may not call.
EFFECTS = frozenset(
    f"continuum.{name}"
    for name in words(
        """now today uuid4 random side_effect patched sleep sleep_until wait_signal saga compensate
        compensate_all continue_as_new publish set_attributes log"""
    )
)

# Exceptions and constants of a denied module have no effect.
_HARMLESS_ENDINGS = ("Error", "Exception", "Warning", "Timeout", "Expired", "Interrupt")


@functools.lru_cache(maxsize=4096)
def denial_of(dotted: str, known: int = 0) -> Denial | None:
    """Return why a name is denied, None when it is not.

    `known` is the length of the part that was checked where it was assigned: a denial of no more than
    that part is not reported twice.
    """
    name = dotted
    while name:
        # The result of a denied function is denied like the function, also if the module made it when loaded.
        plain = name.removesuffix("()")
        if name in ALLOWED or plain in ALLOWED:
            return None
        denial = DENIED.get(name) or DENIED.get(plain)
        if denial is not None:
            # Naming a module as a value was not reported: it does nothing yet.
            reported = len(name) <= known and ("." in name or known > len(name))
            if reported or (name != dotted and _is_harmless(dotted[len(name) + 1 :])):
                return None
            return None if name == dotted and "." not in name else denial
        name = name.rpartition(".")[0]
    return None


def _is_harmless(rest: str) -> bool:
    last = rest.rpartition(".")[2]
    return last.isupper() or last.endswith(_HARMLESS_ENDINGS)
