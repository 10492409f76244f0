"""Real PostgreSQL and MariaDB servers of this machine's own packages, each in a folder of its own, on a port of its own."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy

from servers import free_port

DEADLINE = 60
PORTS, TAKEN = 5, "Address already in use"  # attempts, and what the log of a server says whose port is not free
USER, PASSWORD = "somebody", "pass/w:rd@1"


class Ended(AssertionError):
    """A server did not start."""


@dataclass
class Database:
    """A server that a test may kill and start again, and one database in it.

    `url` is as a person writes it: ``postgresql://user:password@host:port/database``.
    """

    kind: str
    port: int
    command: Sequence[str]
    user: str | None
    log: Path
    name: str = ""
    process: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return self.url_of(PASSWORD)

    def url_of(self, password: str) -> str:
        quoted = password.replace("/", "%2F").replace(":", "%3A").replace("@", "%40")
        return f"{self.kind}://{USER}:{quoted}@127.0.0.1:{self.port}/{self.name}"

    def start(self) -> None:
        """Start the server; ready when it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, user=self.user, start_new_session=True
            )

    def kill(self) -> None:
        """End the server and all that it started with -9."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def execute(self, *statements: str) -> None:
        """Run statements, each committed."""
        made = engine(self.url)
        with made.connect() as connection:
            for statement in statements:
                connection.execute(sqlalchemy.text(statement))
                connection.commit()
        made.dispose()

    def rows(self, query: str) -> list[tuple]:
        made = engine(self.url)
        with made.connect() as connection:
            found = [tuple(row) for row in connection.execute(sqlalchemy.text(query))]
        made.dispose()
        return found


def engine(url: str) -> sqlalchemy.Engine:
    """An engine of SQLAlchemy for a URL as people write it."""
    made = sqlalchemy.engine.make_url(url)
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
    return sqlalchemy.create_engine(made.set(drivername=drivers.get(made.drivername, made.drivername)), pool_pre_ping=False)


@contextmanager
def fresh(server: Database) -> Iterator[Database]:
    """An empty database of one's own on a server."""
    name = f"test_{secrets.token_hex(6)}"
    _administer(server, f"CREATE DATABASE {name}")
    made = Database(server.kind, server.port, server.command, server.user, server.log, name, server.process)
    try:
        yield made
    finally:
        _administer(server, f"DROP DATABASE {name}" + (" WITH (FORCE)" if server.kind == "postgresql" else ""))


def _administer(server: Database, statement: str) -> None:
    made = engine(server.url)
    with made.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sqlalchemy.text(statement))
    made.dispose()


def postgres_programs() -> Path | None:
    """The folder of initdb and postgres, which Debian keeps off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def mariadb_programs() -> tuple[str, str] | None:
    """mariadb-install-db and mariadbd."""
    path = os.environ["PATH"] + ":/usr/sbin"
    found = shutil.which("mariadb-install-db", path=path), shutil.which("mariadbd", path=path)
    return found if all(found) else None


@contextmanager
def serve_postgres() -> Iterator[Database]:
    """A server with the database and superuser `somebody`."""
    programs, user = postgres_programs(), _unprivileged("postgres")
    with _folder(user) as folder:
        word = folder / "password"
        word.write_text(PASSWORD)
        _own(word, user)
        _run(
            [
                programs / "initdb",
                "-D",
                folder / "data",
                "-U",
                USER,
                f"--pwfile={word}",
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--no-sync",
            ],
            user,
        )
        options = ["-k", str(folder), "-h", "127.0.0.1", "-c", "fsync=off", "-c", "timezone=Europe/Berlin"]
        command = [str(programs / "postgres"), "-D", str(folder / "data"), *options, "-p"]
        with _running(
            lambda port: Database("postgresql", port, [*command, str(port)], user, folder / "log", "postgres")
        ) as made:
            yield made


@contextmanager
def serve_mariadb() -> Iterator[Database]:
    """A server with the database `test` and the superuser `somebody`."""
    (install, server), user = mariadb_programs(), _unprivileged("mysql")
    with _folder(user) as folder:
        _run(
            [
                install,
                "--no-defaults",
                f"--datadir={folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            user,
        )
        first = folder / "first.sql"
        first.write_text(
            f"CREATE DATABASE IF NOT EXISTS test;\nCREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
        )
        _own(first, user)
        places = [f"--datadir={folder / 'data'}", f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}"]
        net = ["--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2"]
        command = [server, "--no-defaults", f"--init-file={first}", *places, *net]
        with _running(
            lambda port: Database("mariadb", port, [*command, f"--port={port}"], user, folder / "log", "test")
        ) as made:
            yield made


@contextmanager
def _running(described: Callable[[int], Database]) -> Iterator[Database]:
    database = _started(described)
    try:
        yield database
    finally:
        database.kill()


def _started(described: Callable[[int], Database]) -> Database:
    """A server that answers; on another port when somebody took the one that had been free."""
    for attempt in range(1, PORTS + 1):
        database = described(free_port())
        database.start()
        try:
            wait(database)
            return database
        except Ended as ended:
            if TAKEN not in str(ended) or attempt == PORTS:
                raise
        except BaseException:
            database.kill()
            raise
    raise AssertionError


def wait(database: Database) -> None:
    """Return once the server answers; Ended, with the end of its log, when it no longer runs."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            database.rows("SELECT 1")
            return
        except sqlalchemy.exc.OperationalError as error:
            if database.process and database.process.poll() is not None:
                raise Ended(database.log.read_text(errors="replace")[-2000:]) from None
            assert time.monotonic() < deadline, error
            time.sleep(0.05)


@contextmanager
def _folder(user: str | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        _own(Path(folder), user)
        yield Path(folder)


def _unprivileged(name: str) -> str | None:
    """The user of a package, as which root must run its server; None for everybody else."""
    return name if os.getuid() == 0 else None


def _own(path: Path, user: str | None) -> None:
    if user:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _run(command: Sequence[object], user: str | None) -> None:
    done = subprocess.run([*map(str, command)], user=user, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
