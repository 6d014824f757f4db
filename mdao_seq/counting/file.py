"""The file of a `CallCountRecorder`: an SQLite database with a header and a version.

The application id marks the file as ours and the user version is the version of the schema. Every
write is one transaction, so that a fault leaves the file as it was after the last one; it renews a
checksum, since SQLite does not notice a number that has changed on the disk.

Under MPI each process writes its share beside the first one's: ``calls.db``, ``calls.db_1``, …
Read together they are the sum.
"""

import hashlib
import sqlite3
import warnings
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from mdao_seq._files import replacing
from mdao_seq.counting.counts import CallCounts
from mdao_seq.counting.history import as_text, from_text
from mdao_seq.counting.rows import Key

APPLICATION_ID = 0x6D647371  # 'mdsq'
VERSION = 3  # 2 had no iterations and one process; 1 no calls beside the evaluations

_SCHEMA = """
CREATE TABLE components (path TEXT PRIMARY KEY, linearizations INTEGER NOT NULL);
CREATE TABLE evaluations (
    path TEXT, method TEXT, cause TEXT, declaration TEXT, evaluations INTEGER, seconds REAL,
    calls INTEGER,
    PRIMARY KEY (path, method, cause, declaration));
CREATE TABLE predicted (
    path TEXT, declaration TEXT, calls INTEGER,
    PRIMARY KEY (path, declaration));
CREATE TABLE iterations (number INTEGER PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE process (
    one INTEGER PRIMARY KEY CHECK (one = 1), run TEXT, rank INTEGER, size INTEGER);
CREATE TABLE checksum (one INTEGER PRIMARY KEY CHECK (one = 1), sha256 TEXT);
"""

_TABLES = ('components', 'evaluations', 'predicted', 'iterations', 'process')


class Process(NamedTuple):
    """Which of the processes of a parallel run writes a file.

    Attributes
    ----------
    run : str
        Of which run; the same for all of its processes.
    rank, size : int
        Number of the process, and how many there are.
    """

    run: str = ''
    rank: int = 0
    size: int = 1

    def file(self, path):
        """Return where this process writes, if the first one writes to `path`."""
        return path.with_name(f'{path.name}_{self.rank}') if self.rank else path


ALONE = Process()


def process_of(comm) -> Process:
    """Return which process this is of those of a communicator; all of them ask together."""
    if comm is None or comm.size == 1:
        return ALONE
    return Process(comm.bcast(uuid4().hex), comm.rank, comm.size)


class CountFile:
    """An open file of counts.

    Parameters
    ----------
    path : path-like
        Created; an earlier file of counts is replaced. A process but the first adds its number.
    process : Process
        Who writes.

    Raises
    ------
    ValueError
        If a folder or another kind of file is there: it is left alone, since it is no earlier
        count.
    """

    def __init__(self, path, process=ALONE):
        # A script may change its directory while the file is open.
        self.path = process.file(Path(path).absolute())
        if self.path.exists() and self.path.stat().st_size:
            _open(self.path).close()
        with replacing(self.path) as scratch:
            with closing(sqlite3.connect(scratch)) as connection, connection:
                connection.executescript(_SCHEMA)
                connection.execute(f'PRAGMA application_id = {APPLICATION_ID}')
                connection.execute(f'PRAGMA user_version = {VERSION}')
                connection.execute('INSERT INTO process VALUES (1, ?, ?, ?)', process)
        for leftover in ('-wal', '-shm'):
            Path(f'{self.path}{leftover}').unlink(missing_ok=True)
        self._identity = _identity(self.path)
        self._warned = False
        self._connection = sqlite3.connect(self.path, check_same_thread=False)
        self._is_logged = False

    def write(self, counts):
        """Replace the content by the present counts, in one transaction.

        A fault is a warning that names the file, once: counting must not end a long run, and the
        counts are in memory still.
        """
        try:
            if _identity(self.path) != self._identity:
                raise OSError('it was removed, or replaced by another recorder')
            self._write(counts)
        except (sqlite3.Error, OSError) as error:
            if not self._warned:
                warnings.warn(
                    f'{self.path}: the call counts were not written: {error}', stacklevel=2
                )
            self._warned = True

    def _write(self, counts):
        if not self._is_logged:
            # Not sooner: another process may hold the file that it puts here at the same moment.
            self._connection.execute('PRAGMA journal_mode = WAL')
            self._connection.execute('PRAGMA synchronous = NORMAL')
            self._is_logged = True
        with self._connection as connection:
            connection.executemany(
                'REPLACE INTO components VALUES (?, ?)',
                [(path, counts.linearizations.get(path, 0)) for path in counts.components],
            )
            connection.executemany(
                'REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?)',
                [
                    (*key, counted.evaluations, counted.seconds, counted.calls)
                    for key, counted in counts.counted.items()
                ],
            )
            connection.executemany(
                'REPLACE INTO predicted VALUES (?, ?, ?)',
                [(*pair, calls) for pair, calls in counts.predicted.items()],
            )
            connection.execute('DELETE FROM iterations')
            connection.executemany(
                'INSERT INTO iterations VALUES (?, ?)', enumerate(map(as_text, counts.iterations()))
            )
            connection.execute('REPLACE INTO checksum VALUES (1, ?)', [_checksum(connection)])

    @property
    def is_open(self):
        """Whether the file can still be written."""
        return self._connection is not None

    def close(self):
        """Close the file; it holds what was written last, and nothing stands beside it."""
        if _identity(self.path) == self._identity:
            # Whoever reads it at this moment keeps it in the other mode, which is as good.
            with suppress(sqlite3.OperationalError):
                self._connection.execute('PRAGMA journal_mode = DELETE')
        self._connection.close()
        self._connection = None


def _identity(path):
    """Tell one file from another that takes its place; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _checksum(connection, version=VERSION):
    """Return the SHA-256 of all rows."""
    digest = hashlib.sha256()
    for table in _TABLES if version > 2 else _TABLES[:3]:
        rows = sorted(connection.execute(f'SELECT * FROM {table}'))
        digest.update(repr((table, rows)).encode())
    return digest.hexdigest()


def read_call_counts(path):
    """Read the counts that a `CallCountRecorder` wrote.

    Parameters
    ----------
    path : str or path-like
        The file. Of a parallel run that of the first process: those of the others lie beside it,
        and are added.

    Returns
    -------
    CallCounts
        ``.total(path, cause=None)``, ``.table()``, ``.verify()``.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or another process has none.
    ValueError
        If it is damaged, not a file of counts, of a later version, or another process's is of
        another run.
    """
    path = Path(path)
    counts, process = _read(path)
    if process.rank:
        return counts
    for rank in range(1, process.size):
        beside = process._replace(rank=rank)
        if not beside.file(path).exists():
            raise FileNotFoundError(
                f'{beside.file(path)}: process {rank} of {process.size} has no file of call counts'
            )
        others, found = _read(beside.file(path))
        if found != beside:
            raise ValueError(f'{beside.file(path)}: is of another run than {path}')
        counts.include(others)
    return counts


def read_processes(path, process):
    """Return the sum of what the processes of a run have written, and how many have not yet.

    Parameters
    ----------
    path : pathlib.Path
        The file of the first process.
    process : Process
        One of the run.
    """
    counts, missing = CallCounts(), process.size
    for rank in range(process.size):
        beside = process._replace(rank=rank)
        if beside.file(path).exists():
            others, found = _read(beside.file(path))
            if found == beside:
                counts.include(others)
                missing -= 1
    return counts, missing


def _read(path):
    """Return the counts of one file, and the process that wrote it."""
    counts, process = CallCounts(), ALONE
    with closing(_open(path)) as connection:
        try:
            version = connection.execute('PRAGMA user_version').fetchone()[0]
            (verdict,) = connection.execute('PRAGMA integrity_check(1)').fetchone()
            if verdict != 'ok':
                raise sqlite3.DatabaseError(verdict)
            kept = connection.execute('SELECT sha256 FROM checksum').fetchone()
            if kept is not None and kept[0] != _checksum(connection, version):
                raise sqlite3.DatabaseError('its checksum does not agree with its content')
            for name, linearizations in connection.execute('SELECT * FROM components'):
                counts.components.add(name)
                if linearizations:
                    counts.linearizations[name] = linearizations
            rows = connection.execute('SELECT * FROM evaluations').fetchall()
            for *key, number, seconds, calls in rows if version > 1 else _with_calls(rows):
                counts.add(Key(*key), number, seconds, calls)
            for name, declaration, calls in connection.execute('SELECT * FROM predicted'):
                counts.predicted[name, declaration] = calls
            if version > 2:
                process = Process(
                    *connection.execute('SELECT run, rank, size FROM process').fetchone()
                )
                texts = connection.execute('SELECT entry FROM iterations ORDER BY number')
                counts.history.restore([from_text(text) for (text,) in texts])
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: the file of call counts is damaged: {error}') from error
    return counts, process


def _with_calls(rows):
    """Complete rows of version 1: every evaluation was a call."""
    return [(*row, row[4]) for row in rows]


def _open(path):
    """Open a file of counts for reading, or say what is wrong with it."""
    if not path.exists():
        # OpenMDAO keeps a recorder's file in the outputs directory of its problem.
        found = sorted(path.parent.glob(f'*_out/{path.name}'))
        meant = f'; did you mean {found[0]}?' if found else ''
        raise FileNotFoundError(f'{path}: no such file of call counts{meant}')
    if path.is_dir():
        raise ValueError(f'{path}: not a file of call counts, but a folder')
    connection = sqlite3.connect(f'{path.resolve().as_uri()}?mode=ro', uri=True)
    try:
        found = connection.execute('PRAGMA application_id').fetchone()[0]
        version = connection.execute('PRAGMA user_version').fetchone()[0]
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ValueError(f'{path}: not a file of call counts: {error}') from error
    problem = None
    if found != APPLICATION_ID:
        problem = 'not a file of call counts (another program wrote this database)'
    elif version > VERSION:
        problem = f'has version {version}; this mdao_seq reads up to {VERSION}: upgrade mdao_seq'
    if problem:
        connection.close()
        raise ValueError(f'{path}: {problem}')
    return connection
