"""PostgreSQL with TimescaleDB, and Mosquitto, from Debian's archive into a folder of our own.

Neither root nor the system's package database is needed: apt fetches the packages and checks the
archive's signature, with package lists of our own; dpkg-deb unpacks them; patchelf makes the
programs use the C library beside them, so that Debian 13's servers run on Debian 12 as well.
The archive is the one that this machine is set up for, whatever that is.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import CommandError, DeployError
from deploy.local import places
from deploy.local.progress import note, run, step

SUITE = "trixie"  # the first Debian with TimescaleDB
WANTED = ("postgresql-17-timescaledb", "mosquitto", "mosquitto-clients")
# Dependencies that the servers do not use: just-in-time compiling (LLVM, Z3), Debian's wrappers in
# Perl around the programs that we start ourselves, and what only installing a package needs.
UNUSED_PREFIXES = """
    libllvm libz3 perl libperl postgresql-common postgresql-client-common libipc-run libio-pty
    libjson-perl libtext- debconf adduser passwd login.defs ssl-cert ucf sysvinit-utils procps
    init-system-helpers openssl-provider-legacy locales libc-l10n libgdbm libdb5.3 netbase base-passwd
"""
KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
OWN_SERVERS_HINT = (
    "With servers of your own (deploy/compose has the official images) none of this is needed: "
    "set ANSHOU_DATABASE_URL and ANSHOU_MQTT_URL."
)
# Raise it when the unpacking below changes, so that folders made by the old way are not used.
RECIPE = 1


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """The folder with the unpacked servers, complete and ready to run."""

    root: Path

    @property
    def postgres_bin(self) -> Path:
        """Where postgres, initdb, psql and pg_dump are."""
        return self.root / "usr/lib/postgresql/17/bin"

    @property
    def mosquitto(self) -> Path:
        """The broker's program."""
        return self.root / "usr/sbin/mosquitto"

    @property
    def mosquitto_pub(self) -> Path:
        """Mosquitto's own publishing client."""
        return self.root / "usr/bin/mosquitto_pub"

    @property
    def library_folder(self) -> Path:
        """Where the shared libraries are, whatever the machine's architecture."""
        return _library_folder(self.root)

    @property
    def versions(self) -> dict[str, str]:
        """The unpacked packages and their versions."""
        versions: dict[str, str] = json.loads((self.root / "packages.json").read_text())
        return versions


def installed() -> Prefix | None:
    """The servers that are unpacked already, or None."""
    root = _folder()
    return Prefix(root=root) if (root / "packages.json").is_file() else None


def install() -> Prefix:
    """Return the unpacked servers, fetching them first if this machine has none yet.

    Safe against being called by several processes at once, and against being killed: the folder
    appears under its name only when it is complete.

    Raises:
        DeployError: Not a Debian machine, no archive, or no room; says what to do.
    """
    if (prefix := installed()) is not None:
        return prefix
    with _only_one(_folder().parent / "lock"):
        if (prefix := installed()) is not None:
            return prefix
        return _install(_folder())


def _folder() -> Path:
    recipe = hashlib.sha256(repr((RECIPE, SUITE, WANTED, UNUSED_PREFIXES)).encode()).hexdigest()[:10]
    return places.cache_folder() / "servers" / f"{SUITE}-{recipe}"


@contextmanager
def _only_one(lock_file: Path) -> Iterator[None]:
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released with the file, also when we are killed
        yield


def _install(root: Path) -> Prefix:
    for program in ("apt-get", "dpkg-deb", "dpkg"):
        if shutil.which(program) is None:
            raise DeployError(
                f"The private servers come from Debian's archive, and {program} is not here.",
                OWN_SERVERS_HINT,
            )
    for leftover in root.parent.glob(".unpack-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=root.parent) as workspace_name:
        workspace = Path(workspace_name)
        workspace.chmod(0o755)  # apt drops to its own user for the download
        apt = _Apt(workspace)
        with step("Reading the list of Debian packages"):
            apt.update()
        packages = apt.needed()
        with step(f"Fetching TimescaleDB and Mosquitto ({len(packages)} packages)"):
            archives = apt.download(packages)
        tree = workspace / "root"
        with step("Unpacking them"):
            for archive in archives:
                run(["dpkg-deb", "--extract", archive, tree], failing=f"{archive.name} is broken.")
            _bind_to_own_libraries(tree, root)
        (tree / "packages.json").write_text(json.dumps(packages, indent=1, sort_keys=True))
        tree.chmod(0o755)
        tree.rename(root)
    return Prefix(root=root)


class _Apt:
    """apt-get with sources, lists and cache of our own, but this machine's proxies and mirror."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._sources = workspace / "sources.list"
        self._keyring = _keyring_in(Path("/"))
        self._has_newest_keyring = False
        self._architecture = run(
            ["dpkg", "--print-architecture"], failing="dpkg does not know this machine."
        ).strip()
        for name in ("lists/partial", "cache/archives/partial", "archives"):
            (workspace / name).mkdir(parents=True)
        (workspace / "status").touch()
        if places.is_root():
            try:
                shutil.chown(workspace / "archives", "_apt")
            except LookupError:
                note("There is no user _apt on this machine; apt downloads as root.")

    def update(self) -> None:
        """Fetch the suite's package lists, from the first archive of this machine that has it."""
        archives, security = _archives()
        fixes = [(uri, f"{SUITE}-security") for uri in security]
        # Security fixes are welcome, but some mirrors have none for another release than theirs.
        attempts = [[(uri, SUITE), *extra] for uri in archives for extra in ([fixes, []] if fixes else [[]])]
        failure: CommandError | None = None
        for suites in attempts:
            try:
                self._update(suites)
            except CommandError as error:
                failure = error
            else:
                return
        assert failure is not None, "_archives names at least one"
        raise failure

    def _update(self, suites: Sequence[tuple[str, str]]) -> None:
        try:
            self._read_lists(suites)
        except CommandError as error:
            lacks_a_key = any(word in error.output for word in ("NO_PUBKEY", "EXPKEYSIG", "Missing key"))
            if self._has_newest_keyring or not lacks_a_key:
                raise
            self._keyring = self._newest_keyring()
            self._has_newest_keyring = True
            self._read_lists(suites)

    def _read_lists(self, suites: Sequence[tuple[str, str]]) -> None:
        lines = [
            f"deb [arch={self._architecture} signed-by={self._keyring}] {uri} {suite} main\n"
            for uri, suite in suites
        ]
        self._sources.write_text("".join(lines))
        self._run(
            ["-o", "APT::Update::Error-Mode=any", "update"],
            failing=f"apt could not read Debian {SUITE} from this machine's archive.",
        )

    def _newest_keyring(self) -> Path:
        """Debian's newest keyring, trusted because the keys of this machine signed for it.

        An early Debian 12 does not know the keys of the release after it; its own suite has had
        an update of the keyring since.
        """
        folder = self._workspace / "keyring"
        folder.mkdir()
        folder.chmod(0o755)
        failing = "This machine's Debian keyring is too old, and no newer one could be fetched."
        remedy = "Install the newest debian-archive-keyring."
        package = fetch_own("debian-archive-keyring", folder, failing=failing, remedy=remedy)
        run(["dpkg-deb", "--extract", package, folder / "root"], failing=failing)
        return _keyring_in(folder / "root")

    def needed(self) -> dict[str, str]:
        """The packages that the servers need, without what they do not use, with versions."""
        plan = self._run(
            ["--simulate", "--no-install-recommends", "install", *WANTED],
            failing=f"Debian {SUITE} has no TimescaleDB or Mosquitto for {self._architecture}.",
        )
        unused = tuple(UNUSED_PREFIXES.split())
        found = {}
        for line in plan.splitlines():
            if line.startswith("Inst "):
                _, name, version, *_ = line.split()
                if not name.startswith(unused):
                    found[name] = version.lstrip("(")
        return found

    def download(self, packages: dict[str, str]) -> list[Path]:
        """Fetch these packages; apt compares each with the signed list."""
        folder = self._workspace / "archives"
        wanted = [f"{name}={version}" for name, version in packages.items()]
        self._run(
            ["download", *wanted],
            failing="The Debian packages could not be fetched.",
            cwd=folder,
        )
        archives = sorted(folder.glob("*.deb"))
        assert len(archives) == len(packages), "apt-get download leaves one file for each package"
        return archives

    def _run(self, arguments: Sequence[str], *, failing: str, cwd: Path | None = None) -> str:
        options = {
            "Dir::Etc::sourcelist": self._sources,
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::Lists": self._workspace / "lists",
            "Dir::State::status": self._workspace / "status",
            "Dir::Cache": self._workspace / "cache",
            "Debug::NoLocking": 1,
            "Acquire::Retries": 3,
            "Acquire::Languages": "none",
        }
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        return run(
            ["apt-get", "--yes", "--quiet", *flags, *arguments],
            failing=failing,
            remedy=f"Check the network and this machine's apt sources. {OWN_SERVERS_HINT}",
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )


def fetch_own(package: str, folder: Path, *, failing: str, remedy: str) -> Path:
    """Fetch a package of the release that this machine runs, without installing it.

    The package lists are read anew into `folder`: those of the system may be missing or old, and
    only root may read them anew.

    Raises:
        CommandError: `failing`, with what apt said.
    """
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    own = [
        "-o",
        f"Dir::State::Lists={folder}/lists",
        "-o",
        f"Dir::Cache={folder}/cache",
        "-o",
        "Debug::NoLocking=1",
        "-o",
        "Acquire::Retries=3",
    ]
    run(["apt-get", *own, "update"], failing=failing, remedy=remedy)
    run(["apt-get", *own, "download", package], failing=failing, remedy=remedy, cwd=folder)
    (archive,) = folder.glob(f"{package}_*.deb")
    return archive


def _archives() -> tuple[list[str], list[str]]:
    """This machine's archives of Debian, and those of its security updates."""
    listed = run(
        [
            "apt-get",
            "indextargets",
            "--no-release-info",
            "--format",
            "$(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ],
        failing="apt could not say which archive this machine uses.",
        remedy=OWN_SERVERS_HINT,
    )
    archives: dict[str, None] = {}  # in order, each once
    security: dict[str, None] = {}
    for line in listed.splitlines():
        uri, release, component = line.split()
        if component != "main":
            continue  # somebody else's archive
        if release.endswith("-security"):
            security[uri] = None
        elif "-" not in release:  # not updates, backports, …
            archives[uri] = None
    if not archives:
        raise DeployError("This machine's apt sources name no Debian archive.", OWN_SERVERS_HINT)
    return list(archives), list(security)


def _keyring_in(root: Path) -> Path:
    for name in KEYRINGS:
        keyring = root / "usr/share/keyrings" / name
        if keyring.is_file():
            return keyring
    raise DeployError(
        "This machine has no keys of the Debian archive (package debian-archive-keyring).",
        OWN_SERVERS_HINT,
    )


def _library_folder(root: Path) -> Path:
    (libc,) = root.glob("usr/lib/*-linux-gnu*/libc.so.6")
    return libc.parent


def _bind_to_own_libraries(tree: Path, final_root: Path) -> None:
    """Make the unpacked programs load the libraries that they will have beside them."""
    libraries = _library_folder(tree)
    (loader,) = libraries.glob("ld-linux*.so.*")
    programs = [
        path
        for pattern in ("usr/lib/postgresql/17/bin/*", "usr/bin/mosquitto_*", "usr/sbin/mosquitto")
        for path in tree.glob(pattern)
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"
    ]
    run(
        [
            "patchelf",
            "--set-interpreter",
            final_root / loader.relative_to(tree),
            "--force-rpath",
            "--set-rpath",
            final_root / libraries.relative_to(tree),
            *programs,
        ],
        failing="The unpacked programs could not be bound to their libraries.",
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"},
    )
