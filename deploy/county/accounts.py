"""Staff accounts of the demonstration: one for each function, with a password that everybody may know."""

from typing import NamedTuple

from care import registry
from database.connections import Connection
from deploy.county import names
from deploy.county.known import DEMO_PASSWORD
from deploy.county.progress import Step
from identity.model import ScopeKind, StaffRole
from simulator.plan import County, PlannedSite, SiteSort

HOUSEHOLDS_PER_CARER = 8
PHONES_SEED = 1


class DemoAccount(NamedTuple):
    """Somebody who may sign in to the demonstration."""

    username: str
    password: str
    name: str
    role: StaffRole
    scope: ScopeKind
    sees: tuple[str, ...] = ()
    """The township's name, the operator's code or the codes of the sites; empty for the county."""


def accounts_of(county: County) -> tuple[DemoAccount, ...]:
    """All demonstration accounts of `county`, from the county down."""
    drafts: list[tuple[str, StaffRole, ScopeKind, tuple[str, ...]]] = [
        ("county", StaffRole.COUNTY_SUPERVISOR, ScopeKind.COUNTY, ()),
        ("township", StaffRole.TOWNSHIP_OFFICER, ScopeKind.TOWNSHIP, (names.TOWNSHIPS[0],)),
    ]
    for number, (code, _) in enumerate(names.OPERATORS[: county.operators], 1):
        drafts.append((f"operator{number}", StaffRole.OPERATOR_MANAGER, ScopeKind.OPERATOR, (code,)))
    homes = [site.name for site in county.sites if site.sort is SiteSort.CARE_HOME]
    if homes:
        drafts.append(("director", StaffRole.HOME_DIRECTOR, ScopeKind.SITE, (homes[0],)))
        drafts.append(("leader", StaffRole.SHIFT_LEADER, ScopeKind.SITE, (homes[0],)))
    for number, home in enumerate(homes, 1):
        drafts.append((f"caregiver{number}", StaffRole.CAREGIVER, ScopeKind.SITE, (home,)))
    households = [site for site in county.sites if site.sort is SiteSort.HOUSEHOLD]
    if households:
        cared_for = tuple(site.name for site in households[:HOUSEHOLDS_PER_CARER])
        drafts.append(("carer", StaffRole.CARER, ScopeKind.SITE, cared_for))
        village = _village_of(households[0], households)
        drafts.append(("assistant", StaffRole.VILLAGE_ASSISTANT, ScopeKind.SITE, village))
    return tuple(
        DemoAccount(username, DEMO_PASSWORD, names.person(county.seed, "staff", number), role, scope, sees)
        for number, (username, role, scope, sees) in enumerate(drafts)
    )


def write(connection: Connection, accounts: tuple[DemoAccount, ...], step: Step) -> None:
    """Record the accounts. The caller commits."""
    for done, account in enumerate(accounts, 1):
        sees = account.sees
        registry.add_staff(
            connection,
            username=account.username,
            name=account.name,
            phone=names.phone(PHONES_SEED, "staff", done),
            role=account.role,
            password=account.password,
            scope=account.scope,
            township=sees[0] if account.scope is ScopeKind.TOWNSHIP else None,
            operator=sees[0] if account.scope is ScopeKind.OPERATOR else None,
            sites=sees if account.scope is ScopeKind.SITE else (),
            is_known=True,
        )
        step("accounts", done, len(accounts))


def _village_of(one: PlannedSite, households: list[PlannedSite]) -> tuple[str, ...]:
    where = (one.township, one.village)
    return tuple(site.name for site in households if (site.township, site.village) == where)
