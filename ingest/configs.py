"""What each gateway should know, kept at the broker as its retained message.

The database is the truth. A message is published when it differs from what was published last on this
connection; a new connection publishes all, because a broker that was restarted may have lost them.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from protocol import wire
from protocol.broker import BrokerAddress
from protocol.model import GatewayConfig
from protocol.watchdog import Loop, Watchdog
from protocol.wire import Leaf, Topic

log = logging.getLogger(__name__)

KEEPALIVE_S = 30
RECONNECT_S_MAX = 10
CLEARED = b""
"""An empty retained message takes away what the broker keeps."""


class WatchedClient(Client):
    """paho's client, whose own thread tells the watchdog that it goes round."""

    loop_of_ours: Loop

    def loop_misc(self) -> MQTTErrorCode:
        """What paho does in each of its turns, once a second at least."""
        self.loop_of_ours.beat()
        return super().loop_misc()

    def reconnect(self) -> MQTTErrorCode:
        """What paho does instead, with pauses between, while there is no broker."""
        self.loop_of_ours.beat()
        return super().reconnect()


class ConfigPublisher:
    """A connection of its own to the broker on a thread of paho's, and a thread that decides what to publish.

    paho holds its own locks while it calls us back, and takes them when it is called. So the callbacks only
    leave word, and one thread, which holds nothing, acts on it in order. It alone touches what is kept here.
    """

    def __init__(self, broker: BrokerAddress, client_id: str, watchdog: Watchdog | None = None) -> None:
        watchdog = watchdog or Watchdog()
        self._loop = watchdog.loop("configurations")
        self._broker = broker
        self._word: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._act, name="configurations", daemon=True)
        self._wanted: Mapping[str, bytes] = {}
        self._confirmed: dict[str, bytes] = {}
        self._in_flight: dict[int, tuple[str, bytes]] = {}
        self._client = WatchedClient(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.loop_of_ours = watchdog.loop("paho")
        broker.for_session(client_id).prepare(self._client)
        self._client.reconnect_delay_set(1, RECONNECT_S_MAX)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish

    def start(self) -> None:
        """Connect, and stay connected, in the background."""
        self._thread.start()
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Leave."""
        self._word.put(None)
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()
        self._client.loop_of_ours.rest()

    def set(self, configs: Mapping[tuple[str, str], GatewayConfig | None]) -> None:
        """From now on these are what gateways should know, by site and name; None: nothing any more."""
        wanted = {
            str(Topic(site, gateway, Leaf.CONFIG)): CLEARED if config is None else wire.encode(config)
            for (site, gateway), config in configs.items()
        }
        self._word.put(lambda: self._want(wanted))

    # On paho's thread.

    def _on_connect(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.warning("the broker refuses to take gateways' configurations: %s", reason)
            return
        self._word.put(self._begin_anew)

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        self._word.put(lambda: self._answered(mid, reason))

    # On our own thread.

    def _act(self) -> None:
        while (word := self._word.get()) is not None:
            self._loop.beat()
            word()
            self._loop.rest()

    def _want(self, wanted: Mapping[str, bytes]) -> None:
        self._wanted = wanted
        self._publish_differences()

    def _begin_anew(self) -> None:
        self._confirmed.clear()
        self._in_flight.clear()
        self._publish_differences()

    def _answered(self, mid: int, reason: Any) -> None:
        topic, payload = self._in_flight.pop(mid, (None, CLEARED))
        if topic is None:
            # From before a reconnect, sent again by paho: it may have overtaken something newer.
            self._confirmed.clear()
            self._publish_differences()
        elif reason.is_failure:
            log.warning("the broker refuses the configuration on %s: %s", topic, reason)
        else:
            self._confirmed[topic] = payload

    def _publish_differences(self) -> None:
        if not self._client.is_connected():
            return
        under_way = set(self._in_flight.values())
        for topic, payload in self._wanted.items():
            if self._confirmed.get(topic) == payload or (topic, payload) in under_way:
                continue
            sent = self._client.publish(topic, payload, qos=1, retain=True)
            if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._in_flight[sent.mid] = (topic, payload)
