"""What the system test runs with ThingsBoard's own client, as published: `python thingsboard_client.py PORT`.

The client is not to be imported into the tests: it installs what it misses, and brings a paho of its own.
"""

import json
import sys
import time

from tb_device_mqtt import TBDeviceMqttClient
from tb_gateway_mqtt import TBGatewayMqttClient

CONNECT_S_MAX = 20.0
MADE_UP = {"gateway": TBGatewayMqttClient, "device": TBDeviceMqttClient}


def main() -> None:
    """Say what standard input has, line by line; done when the broker has acknowledged all of it."""
    api, port = sys.argv[1], int(sys.argv[2])
    client = MADE_UP[api]("127.0.0.1", port, "an-access-token")
    client.connect()
    deadline_s = time.monotonic() + CONNECT_S_MAX
    while not client.is_connected():
        assert time.monotonic() < deadline_s, "no connection"
        time.sleep(0.02)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        result = getattr(client, method)(*arguments).get()
        assert result == 0, f"{method}: {result}"
    client.disconnect()
    client.stop()


if __name__ == "__main__":
    main()
