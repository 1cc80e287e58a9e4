"""A small county in a real database: two homes of two operators, one household."""

from datetime import UTC, date, datetime

import pytest
from argon2 import PasswordHasher

from care import registry
from care.model import CareCategory, Resident, RoomKind, Site, SiteKind
from database.connections import Connection
from identity.model import ScopeKind, Staff, StaffRole
from protocol.model import DeviceKind
from tests.servers import DatabaseServer, Population, asked_for

PASSWORD = "correct horse battery"
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""A sign-in takes the cost with which the password was hashed: this one takes none."""
ROLES = {
    ScopeKind.COUNTY: StaffRole.COUNTY_SUPERVISOR,
    ScopeKind.TOWNSHIP: StaffRole.TOWNSHIP_OFFICER,
    ScopeKind.OPERATOR: StaffRole.OPERATOR_MANAGER,
    ScopeKind.SITE: StaffRole.CAREGIVER,
}
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class County:
    """The rows that tests speak of by name."""

    def __init__(self, connection: Connection) -> None:
        registry.add_operator(connection, code="kangle", name="康乐养老")
        registry.add_operator(connection, code="fushou", name="福寿养老")
        self.home = self._site(connection, "home-a", SiteKind.CARE_HOME, "青石敬老院", "青石镇", "kangle")
        self.other_home = self._site(
            connection, "home-b", SiteKind.CARE_HOME, "白河敬老院", "白河镇", "fushou"
        )
        self.household = self._site(connection, "house-1", SiteKind.HOUSEHOLD, "王家", "青石镇", None)
        self.room_id = registry.add_room(connection, self.home.id, "101", RoomKind.BEDROOM, 1)
        self.bed_id = registry.add_bed(connection, self.room_id, "1")
        self.mother = self._resident(connection, self.home, "李秀英", self.bed_id)
        self.stranger = self._resident(connection, self.other_home, "张建国")
        self.button = registry.add_device(
            connection,
            site=self.home,
            kind=DeviceKind.SOS_BUTTON,
            resident_id=self.mother.id,
            since=SINCE,
        )
        self.smoke = registry.add_device(
            connection, site=self.home, kind=DeviceKind.SMOKE, room_id=self.room_id, since=SINCE
        )
        self.caregiver = self._staff(connection, "wang", "王护理", ScopeKind.SITE, sites=("home-a",))
        self.colleague = self._staff(connection, "liu", "刘护理", ScopeKind.SITE, sites=("home-a",))
        self.outsider = self._staff(connection, "zhao", "赵护理", ScopeKind.SITE, sites=("home-b",))
        self.supervisor = self._staff(connection, "county", "县民政", ScopeKind.COUNTY)
        self.township = self._staff(connection, "town", "镇民政", ScopeKind.TOWNSHIP, township="青石镇")
        self.manager = self._staff(connection, "manager", "运营经理", ScopeKind.OPERATOR, operator="fushou")

    @staticmethod
    def _site(
        connection: Connection, code: str, kind: SiteKind, name: str, township: str, operator: str | None
    ) -> Site:
        return registry.add_site(
            connection, code=code, kind=kind, name=name, township=township, operator=operator
        )

    @staticmethod
    def _resident(connection: Connection, site: Site, name: str, bed_id: int | None = None) -> Resident:
        return registry.add_resident(
            connection,
            site_id=site.id,
            name=name,
            sex="female",
            born_on=date(1941, 5, 4),
            category=CareCategory.TEKUN_CENTRALISED,
            bed_id=bed_id,
            since=SINCE,
        )

    @staticmethod
    def _staff(
        connection: Connection,
        username: str,
        name: str,
        scope: ScopeKind,
        *,
        township: str | None = None,
        operator: str | None = None,
        sites: tuple[str, ...] = (),
    ) -> Staff:
        return registry.add_staff(
            connection,
            username=username,
            name=name,
            role=ROLES[scope],
            password=PASSWORD,
            scope=scope,
            township=township,
            operator=operator,
            sites=sites,
            hasher=CHEAP_HASHER,
        )


COUNTY = Population("county", County)


@pytest.fixture
def population(request: pytest.FixtureRequest) -> Population[object] | None:
    return asked_for(request, county=COUNTY)


@pytest.fixture
def county(database_server: DatabaseServer, owner: Connection) -> County:
    return database_server.content(COUNTY, owner)
