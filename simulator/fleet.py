"""Which devices a home has, under which names, and how their batteries run down."""

import numpy as np

from protocol.model import DeviceKind, PowerSource, usual_power
from simulator.chance import generator
from simulator.clock import DAY_MS
from simulator.person import Ability, Condition, SelfCare
from simulator.plan import PlannedDevice, PlannedRoom, PlannedSite, RoomSort, Subject
from simulator.routine import Place

SHORT_NAME = {
    DeviceKind.SOS_BUTTON: "sos",
    DeviceKind.PULL_CORD: "cord",
    DeviceKind.FALL_RADAR: "radar",
    DeviceKind.SMART_MATTRESS: "mattress",
    DeviceKind.MOTION: "motion",
    DeviceKind.DOOR_CONTACT: "door",
    DeviceKind.SMOKE: "smoke",
    DeviceKind.GAS: "gas",
    DeviceKind.WATER_LEAK: "water",
    DeviceKind.WRISTBAND: "band",
    DeviceKind.BP_CUFF: "cuff",
    DeviceKind.GLUCOMETER: "glucometer",
    DeviceKind.THERMOMETER: "thermometer",
    DeviceKind.HEALTH_KIOSK: "kiosk",
    DeviceKind.PATROL_TAG: "patrol",
    DeviceKind.SIREN: "siren",
    DeviceKind.GATEWAY: "gateway",
}
"""How each kind is called in device names."""

_PLACE_OF_ROOM = {
    RoomSort.BEDROOM: Place.BEDROOM,
    RoomSort.BATHROOM: Place.BATHROOM,
    RoomSort.KITCHEN: Place.KITCHEN,
    RoomSort.LIVING_ROOM: Place.LIVING_ROOM,
}


class Fleet:
    """Puts the devices of one site on the county's list."""

    def __init__(self, site: PlannedSite, devices: list[PlannedDevice]) -> None:
        self.site = site
        self._devices = devices

    def equip_home_room(self, rng: np.random.Generator, bedroom: PlannedRoom, bathroom: PlannedRoom) -> None:
        """What hangs in a bedroom of a care home and its bathroom, whoever lives there."""
        where = f"r{bedroom.number}"
        self._add(DeviceKind.DOOR_CONTACT, where, room=bedroom)
        self._add(DeviceKind.MOTION, where, room=bedroom)
        self._add(DeviceKind.PULL_CORD, f"{where}-bath", room=bathroom)
        watcher = DeviceKind.FALL_RADAR if rng.random() < 0.5 else DeviceKind.MOTION
        self._add(watcher, f"{where}-bath", room=bathroom)
        if rng.random() < 0.15:
            self._add(DeviceKind.WATER_LEAK, f"{where}-bath", room=bathroom)

    def equip_home_resident(self, rng: np.random.Generator, subject: Subject, bedroom: PlannedRoom) -> None:
        """What belongs to a bed in a care home and to the person who sleeps in it."""
        where = f"r{bedroom.number}-{subject.bed}"
        frail = subject.traits.self_care is not SelfCare.ABLE
        self._add(DeviceKind.SOS_BUTTON, where, room=bedroom, subject=subject)
        mattress = rng.random() < (0.9 if frail else 0.5)
        if mattress:
            self._add(DeviceKind.SMART_MATTRESS, where, room=bedroom, subject=subject, place=Place.BED)
        restless = Condition.DEMENTIA in subject.traits.conditions
        # Everybody has at least one device that shows how they are.
        if not mattress or restless or rng.random() < 0.3:
            self._add(DeviceKind.WRISTBAND, where, subject=subject)
        self._add_instruments(rng, where, subject, cuff_share=0.6)

    def equip_hallway(self, hallway: PlannedRoom) -> None:
        """What hangs on each floor: the tag of the rounds, smoke alarm, siren."""
        where = f"f{hallway.floor}"
        self._add(DeviceKind.PATROL_TAG, f"{where}-east", room=hallway)
        self._add(DeviceKind.PATROL_TAG, f"{where}-west", room=hallway)
        self._add(DeviceKind.SMOKE, f"{where}-east", room=hallway)
        self._add(DeviceKind.SMOKE, f"{where}-west", room=hallway)
        self._add(DeviceKind.SIREN, where, room=hallway)

    def equip_common_rooms(self, kitchen: PlannedRoom, common: PlannedRoom) -> None:
        """What a care home or day centre has for all: kiosk, kitchen alarms, gateway."""
        self._add(DeviceKind.GATEWAY, "")
        self._add(DeviceKind.SMOKE, "kitchen", room=kitchen)
        self._add(DeviceKind.GAS, "kitchen", room=kitchen)
        self._add(DeviceKind.WATER_LEAK, "kitchen", room=kitchen)
        self._add(DeviceKind.HEALTH_KIOSK, "hall", room=common)
        self._add(DeviceKind.MOTION, "hall", room=common)
        self._add(DeviceKind.DOOR_CONTACT, "gate", room=common, place=Place.OUT)

    def equip_household(
        self, rng: np.random.Generator, subject: Subject, rooms: dict[RoomSort, PlannedRoom]
    ) -> None:
        """What the county puts into the home of one dispersed elder."""
        bedroom, living = rooms[RoomSort.BEDROOM], rooms[RoomSort.LIVING_ROOM]
        kitchen, bathroom = rooms[RoomSort.KITCHEN], rooms[RoomSort.BATHROOM]
        self._add(DeviceKind.GATEWAY, "", room=living)
        self._add(DeviceKind.SOS_BUTTON, "bedroom", room=bedroom, subject=subject)
        self._add(DeviceKind.DOOR_CONTACT, "front", room=living, place=Place.OUT)
        for room in (living, bedroom):
            self._add(DeviceKind.MOTION, str(room.sort).replace("_room", ""), room=room)
        self._add(DeviceKind.SMOKE, "kitchen", room=kitchen)
        frail = subject.traits.self_care is not SelfCare.ABLE
        chances: tuple[tuple[float, DeviceKind, str, PlannedRoom], ...] = (
            (0.6, DeviceKind.MOTION, "kitchen", kitchen),
            (0.7, DeviceKind.MOTION, "bathroom", bathroom),
            (0.55, DeviceKind.GAS, "kitchen", kitchen),
            (0.3, DeviceKind.WATER_LEAK, "kitchen", kitchen),
            (0.35, DeviceKind.PULL_CORD, "bathroom", bathroom),
            (0.6 if frail else 0.3, DeviceKind.FALL_RADAR, "bathroom", bathroom),
            (0.3, DeviceKind.SIREN, "living", living),
        )
        for chance, kind, where, room in chances:
            if rng.random() < chance:
                self._add(kind, where, room=room)
        if rng.random() < (0.7 if frail else 0.35):
            self._add(DeviceKind.SMART_MATTRESS, "bed", room=bedroom, subject=subject, place=Place.BED)
        if rng.random() < 0.45:
            self._add(DeviceKind.WRISTBAND, "", subject=subject)
        self._add_instruments(rng, "", subject, cuff_share=0.6)

    def _add_instruments(
        self, rng: np.random.Generator, where: str, subject: Subject, *, cuff_share: float
    ) -> None:
        conditions = subject.traits.conditions
        if Condition.HYPERTENSION in conditions and rng.random() < cuff_share:
            self._add(DeviceKind.BP_CUFF, where, subject=subject)
        if Condition.DIABETES in conditions:
            self._add(DeviceKind.GLUCOMETER, where, subject=subject)
        if Ability.BATHE in subject.traits.lost and rng.random() < 0.35:
            self._add(DeviceKind.THERMOMETER, where, subject=subject)

    def _add(
        self,
        kind: DeviceKind,
        where: str,
        *,
        room: PlannedRoom | None = None,
        subject: Subject | None = None,
        place: Place | None = None,
    ) -> None:
        parts = (self.site.name, where, SHORT_NAME[kind])
        if place is None and room is not None:
            place = _PLACE_OF_ROOM.get(room.sort)
        self._devices.append(
            PlannedDevice(
                index=len(self._devices),
                name="-".join(part for part in parts if part),
                site=self.site.index,
                kind=kind,
                room=None if room is None else room.index,
                subject=None if subject is None else subject.index,
                place=place,
            )
        )


_BATTERY_LIFE_D = {
    DeviceKind.SOS_BUTTON: 700,
    DeviceKind.PULL_CORD: 900,
    DeviceKind.MOTION: 540,
    DeviceKind.DOOR_CONTACT: 720,
    DeviceKind.SMOKE: 1000,
    DeviceKind.WATER_LEAK: 900,
    DeviceKind.BP_CUFF: 200,
    DeviceKind.GLUCOMETER: 250,
    DeviceKind.THERMOMETER: 300,
    DeviceKind.PATROL_TAG: 900,
}
"""Days from a new battery to a low one."""
LOW_BATTERY_PERCENT = 10
REPLACED_AFTER_D = 1.5
"""How long staff take to replace a battery that has said that it is low."""
_CHARGED_EVERY_D = 2.0
"""Wristbands are charged this often, and so never run low."""


class Batteries:
    """The level of every battery of a county at any time, without keeping books."""

    def __init__(self, seed: int, devices: tuple[PlannedDevice, ...]) -> None:
        rng = generator(seed, "batteries")
        self.has_battery = np.array([usual_power(one.kind) is PowerSource.BATTERY for one in devices], bool)
        self._chargeable = np.array([one.kind is DeviceKind.WRISTBAND for one in devices], bool)
        life_d = np.array([_BATTERY_LIFE_D.get(one.kind, 700) for one in devices], float)
        life_ms = life_d * DAY_MS * rng.uniform(0.8, 1.2, len(devices))
        self._life_ms = life_ms.astype(np.int64)
        self._cycle_ms = np.where(
            self._chargeable,
            int(_CHARGED_EVERY_D * DAY_MS),
            self._life_ms + int(REPLACED_AFTER_D * DAY_MS),
        )
        self._phase_ms = (rng.random(len(devices)) * self._cycle_ms).astype(np.int64)

    def level(self, device: np.ndarray, ts_ms: np.ndarray) -> np.ndarray:
        """Percent at each time; NaN for what runs on mains."""
        age_ms = (ts_ms + self._phase_ms[device]) % self._cycle_ms[device]
        draining = 100 - (100 - LOW_BATTERY_PERCENT) * age_ms / self._life_ms[device]
        charging = 100 - 62 * age_ms / self._cycle_ms[device]
        level = np.where(self._chargeable[device], charging, np.maximum(draining, 7))
        return np.where(self.has_battery[device], level, np.nan)

    def low_between(self, begin_ms: int, end_ms: int) -> list[tuple[int, int, bool]]:
        """(device, time, raised) of each battery that runs low, or is replaced, in that span."""
        device = np.flatnonzero(self.has_battery & ~self._chargeable)
        cycle = (begin_ms + self._phase_ms[device]) // self._cycle_ms[device]
        changes = []
        for ahead in (0, 1):
            starts_ms = (cycle + ahead) * self._cycle_ms[device] - self._phase_ms[device]
            for raised, at_ms in ((True, starts_ms + self._life_ms[device]), (False, starts_ms)):
                inside = (at_ms >= begin_ms) & (at_ms < end_ms)
                pairs = zip(device[inside].tolist(), at_ms[inside].tolist(), strict=True)
                changes += [(which, at, raised) for which, at in pairs]
        return sorted(changes)

    def raised_before_ms(self, device: int, replaced_ms: int) -> int:
        """When the battery replaced at `replaced_ms` had said that it was low."""
        return int(replaced_ms - (self._cycle_ms[device] - self._life_ms[device]))
