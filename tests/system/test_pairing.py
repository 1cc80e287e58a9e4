"""A new box in a home: from the code on the page to the reading of a device that was adopted there."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from playwright.sync_api import Page, expect

from deploy.local import instance
from gateway import identity as identities
from gateway.identity import Identity, tls_context
from protocol import wire
from protocol.model import Adoption, DeviceKind, DeviceProposal, DeviceStatus, VitalSigns
from protocol.wire import Leaf, Topic
from tests.machine import Machine
from tests.system.test_whole_way import eventually

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]

PATIENCE_S = 30.0
PATIENCE_MS = 30_000
KEY = "zigbee2mqtt:0x00158d0001a2b3c4"
NOT_ON_A_BOX = (
    "psycopg",
    "pandas",
    "numpy",
    "fastapi",
    "cryptography",
    "sklearn",
    "care",
    "ingest",
    "dashboard",
)
BOX = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_ON_A_BOX!r}:
            raise ModuleNotFoundError(f"no {{name}} on a box", name=name)
sys.meta_path.insert(0, Missing())
from deploy.cli import main
sys.argv[0] = "anshou"
main()
"""
"""`anshou` on a machine that has only what a gateway needs."""


def at_the_box(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
    return subprocess.run(
        [sys.executable, "-c", BOX, *arguments], env=environ, capture_output=True, text=True, timeout=120
    )


class Box:
    """A gateway's connection to the centre's broker, with what pairing gave it and nothing else."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.configs: Queue[bytes] = Queue()
        self.connected, self.thrown_out = threading.Event(), threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(identity.username, identity.secret)
        self._client.tls_set_context(tls_context(identity.authority))
        self._client.on_connect = lambda *_: self.connected.set()
        self._client.on_disconnect = lambda *_: self.thrown_out.set()
        self._client.on_message = lambda _client, _data, message: self.configs.put(bytes(message.payload))

    def start(self) -> None:
        self._client.connect(self.identity.mqtt_host, self.identity.mqtt_port)
        self._client.loop_start()
        assert self.connected.wait(PATIENCE_S)
        self._client.subscribe(self.topic(self.identity.gateway, Leaf.CONFIG), qos=1)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def topic(self, device: str, leaf: Leaf) -> str:
        return str(Topic(self.identity.site, device, leaf))

    def say(self, device: str, leaf: Leaf, payload: bytes) -> None:
        self._client.publish(self.topic(device, leaf), payload, qos=1).wait_for_publish(PATIENCE_S)


@contextmanager
def box_running(path: Path) -> Iterator[Box]:
    box = Box(identities.load(path))
    box.start()
    try:
        yield box
    finally:
        box.stop()


@pytest.fixture
def centre(machine: Machine) -> Machine:
    code, said = machine.run("up", "--no-demo", "--detach")
    assert code == 0, said
    machine.environment["ANSHOU_STAFF_PASSWORD"] = "correct horse"
    for arguments in (
        ("operator", "add", "--code", "kangle", "--name", "康乐养老"),
        ("site", "add", "--code", "qingshi", "--kind", "care_home", "--name", "青石敬老院",
         "--township", "青石镇", "--operator", "kangle"),
        ("resident", "add", "--site", "qingshi", "--name", "李秀英", "--sex", "female",
         "--born", "1941-05-04", "--room", "101", "--bed", "1"),
        ("staff", "add", "--username", "county", "--name", "县民政", "--role", "county_supervisor",
         "--sees", "county"),
    ):  # fmt: skip
        code, said = machine.run(*arguments)
        assert code == 0, said
    return machine


def sign_in(machine: Machine, page: Page) -> str:
    url = instance.current(machine.data.root).http_url
    assert url is not None
    page.goto(f"{url}county/devices")
    page.fill("input[name=username]", "county")
    page.fill("input[name=password]", "correct horse")
    page.press("input[name=password]", "Enter")
    expect(page.get_by_role("heading", name="网关", exact=False).first).to_be_visible()
    return url


def make_code(page: Page) -> list[str]:
    """The command that the page shows, as somebody types it at the box."""
    page.get_by_role("button", name="新增网关").click()
    page.get_by_label("安装地点").select_option(label="青石敬老院 · 青石镇")
    page.get_by_role("button", name="生成配对码").click()
    expect(page.locator("#pairing-code")).to_have_text(re.compile(r"^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$"))
    return shlex.split(page.locator("#pairing-command").inner_text())[1:]


def test_a_new_box_from_the_code_to_the_reading(centre: Machine, browser_page: Page, tmp_path: Path) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    page = browser_page
    identity = tmp_path / "box" / "gateway.json"
    sign_in(centre, page)
    command = make_code(page)
    fingerprint = page.locator("#pairing-fingerprint").inner_text()
    page.get_by_role("button", name="完成").click()

    wrong = [*command[:-1], "0000-0000-0000", "--identity", str(identity)]
    refused = at_the_box(*wrong)
    assert refused.returncode == 1
    assert "Nothing secret was sent" in refused.stderr
    assert "Traceback" not in refused.stderr

    paired = at_the_box(*command, "--identity", str(identity))
    assert paired.returncode == 0, paired.stdout + paired.stderr
    assert fingerprint in paired.stdout
    assert identity.stat().st_mode & 0o777 == 0o600
    assert identities.load(identity).gateway == "gateway-0001"

    replayed = at_the_box(*command, "--identity", str(tmp_path / "thief.json"))
    assert replayed.returncode == 1
    assert "(HTTP 403)" in replayed.stderr
    assert not (tmp_path / "thief.json").exists()

    with box_running(identity) as box:
        proposal = DeviceProposal(
            key=KEY,
            kind=DeviceKind.WRISTBAND,
            vendor="Anon",
            product="W1",
            says=("vitals.hr", "status.battery"),
        )
        box.say("gateway-0001", Leaf.PROPOSAL, wire.encode(proposal))
        status = DeviceStatus(online=True, queued=12, dropped=0, clock_off_ms=-7_200_000)
        box.say("gateway-0001", Leaf.STATUS, wire.encode(status))
        eventually(centre, "SELECT key FROM care.device_proposal", [(KEY,)])
        eventually(centre, "SELECT queued, clock_off_ms FROM readings.device_state", [(12, -7_200_000)])
        page.reload()
        shown = page.locator(".proposal").filter(has_text=KEY)
        expect(shown).to_contain_text("手环")
        expect(page.locator(".gateway")).to_contain_text("时钟曾慢")
        shown.get_by_role("button", name="接入").click()
        page.get_by_label("看护谁或哪个房间").select_option(label="李秀英 · 101 房 · 1 床")
        page.get_by_role("dialog").get_by_role("button", name="接入", exact=True).click()
        expect(page.locator(".proposal")).to_have_count(0)

        wanted = {KEY: Adoption(name="wristband-0001", kind=DeviceKind.WRISTBAND)}
        while wire.decode_config(box.configs.get(timeout=PATIENCE_S)).devices != wanted:
            pass
        box.say("wristband-0001", Leaf.VITALS, wire.encode(VitalSigns(hr=71)))
        eventually(
            centre,
            "SELECT hr, name FROM readings.vitals JOIN care.resident ON resident.id = resident_id",
            [(71.0, "李秀英")],
        )

        renewed = at_the_box("gateway", "rotate", "--identity", str(identity))
        assert renewed.returncode == 0, renewed.stdout + renewed.stderr
        assert box.thrown_out.wait(PATIENCE_S), "the old secret has ended"
    with box_running(identity) as box:
        page.reload()
        page.locator(".gateway-more summary").click()
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="丢失或被盗").click()
        assert box.thrown_out.wait(PATIENCE_S), "a stolen box is let in no more"
        expect(page.locator(".gateway")).to_contain_text("已停用")
    assert (
        json.loads(identity.read_text())["secret"] not in (centre.data.log / "dashboard-tls.log").read_text()
    )


def test_an_impostor_gets_nothing(centre: Machine, browser_page: Page, tmp_path: Path) -> None:
    """Somebody in between answers with an authority of their own; the box notices before it says a word."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from deploy.authority import Authority

    expect.set_options(timeout=PATIENCE_MS)
    forged = Authority(folder=tmp_path / "forged")
    forged.prepare()
    heard: list[str] = []

    class Impostor(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            body = {
                "certificate": forged.certificate.read_text(),
                "https_port": server.server_port,
            }
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Impostor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        sign_in(centre, browser_page)
        code = make_code(browser_page)[-1]
        url = f"http://127.0.0.1:{server.server_port}"
        result = at_the_box("gateway", "pair", url, code, "--identity", str(tmp_path / "gateway.json"))
        assert result.returncode == 1
        assert "somebody stands in between" in result.stderr
        assert heard == ["/api/gateways/authority"]
    finally:
        server.shutdown()
        server.server_close()
