"""Every command that a document gives to be typed is typed, as it stands, from a fresh shell."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import instance
from tests.architecture import CHECKOUT
from tests.machine import Machine, machine_of_its_own
from tests.test_documents import DOCUMENTS, text_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RUN_ELSEWHERE = {
    r"make (check|test|run)\b": "the other tests of the system start it, and CI runs the rest",
    r"make box": "tests/deploy/test_wheels.py builds the same wheel",
    r"python3 -m venv box": "tests/deploy/test_wheels.py",
    r"box/bin/pip install '\./anshou-[\d.]+-py3-none-any\.whl\[gateway\]'": "tests/deploy/test_wheels.py",
    r"box/bin/anshou gateway pair http://[\w.]+:8080 ": "tests/system/test_pairing.py, with its own code",
    r"box/bin/anshou gateway run$": "tests/system/test_edge.py",
    r"/usr/sbin/mosquitto -p 11883$": "Debian's package; tests/gateway have a LAN broker of their own",
    r"ANSHOU_GATEWAY_LAN_URL=\S+ \.venv/bin/anshou gateway run$": "tests/gateway",
    r"mosquitto_sub -t 'anshou/v1/\+/\+/health' -v$": "Debian's package mosquitto-clients",
}
"""What is not typed here, and what shows that it works."""
ALREADY = re.compile(r"--data \S+")
WITH_DATA = re.compile(
    r"^\.venv/bin/anshou (doctor|resident|device|staff|site|operator|simulate --incident)\b"
)


def commands(document: Path) -> Iterator[str]:
    """The lines of the blocks of shell in a document, without their comments."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text_of(document), flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if command := re.sub(r"\s+# .*$", "", line).strip():
                yield command


def elsewhere(command: str) -> bool:
    return any(re.match(pattern, command) for pattern in RUN_ELSEWHERE)


TYPED = [document for document in DOCUMENTS if any(not elsewhere(one) for one in commands(document))]


@pytest.fixture(scope="module")
def shown() -> Iterator[Machine]:
    """The demonstration, as `make run` starts it."""
    with machine_of_its_own() as machine:
        code, said = machine.run("up", "--detach")
        assert code == 0, said
        yield machine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like the checkout as far as commands go, and may be written to."""
    (tmp_path / ".venv").symlink_to(CHECKOUT / ".venv")
    return tmp_path


def here(command: str, machine: Machine, document: Path) -> str:
    """The command on this test's own installation: its folder, its ports, its names."""
    running = instance.current(machine.data.root)
    assert running.http_url is not None
    command = ALREADY.sub("", command)
    if WITH_DATA.match(command):
        command += f" --data {machine.data.root}"
    command = command.replace("http://127.0.0.1:8080/", running.http_url)
    command = command.replace("127.0.0.1:1883", f"127.0.0.1:{running.mqtt_port}")
    command = command.replace("http://127.0.0.1:9472/metrics", running.metrics_urls["ingest-alarms"])
    tag = re.sub(r"\W", "-", str(document)).lower()
    return command.replace("my-button", f"button-{tag}").replace("chief", f"chief-{tag}")


def test_the_commands_are_found() -> None:
    assert {Path("README.md"), Path("README.zh-CN.md"), Path("docs/api.md")} <= set(TYPED)
    assert len([one for one in commands(Path("README.md")) if not elsewhere(one)]) >= 8


@pytest.mark.parametrize("pattern", list(RUN_ELSEWHERE))
def test_what_is_left_out_is_still_there(pattern: str) -> None:
    assert any(re.match(pattern, one) for document in DOCUMENTS for one in commands(document))


@pytest.mark.parametrize("document", TYPED, ids=str)
def test_each_command_works_as_it_stands(shown: Machine, folder: Path, document: Path) -> None:
    for command in commands(document):
        if elsewhere(command):
            continue
        typed = here(command, shown, document)
        done = subprocess.run(
            ["bash", "-c", typed],
            cwd=folder,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.environ["HOME"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        said = f"{document}: {typed}\n{done.stdout}{done.stderr}"
        if command.endswith("doctor"):  # it judges this checkout too, which may be one for tests only
            assert "✓ Database" in done.stdout, said
            assert "Traceback" not in said
        else:
            assert done.returncode == 0, said
