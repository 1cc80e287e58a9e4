"""Settings of escalation: after how long the timeline names the next level where nobody acknowledges."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.watchdog import STALL_S_MAX

AfterS = Annotated[int, Meta(ge=1, le=86_400)]


class EscalationSettings(Struct, frozen=True, kw_only=True):
    """Read from `ANSHOU_ALARMS_…`. Delays count in seconds from when the centre knew of an alarm.

    Attributes:
        database_url: The database, with the role `anshou_service`.
        household_village_assistant_s: When a household's village assistant is named; the carer
            sees it at once.
        household_township_s: When its township is named.
        household_county_s: When the county is named.
        home_shift_leader_s: When a home's shift leader is named; its desk sees it at once. So for a day
            centre.
        home_director_s: When its director is named.
        home_operator_s: When its operator is named.
        home_county_s: When the county is named.
        home_arrival_s: Who said that they go to an alarm of high priority in a home or a day centre and
            has not arrived after so long loses it: it is open again, and the next level is named. After
            half of it they are reminded.
        household_arrival_s: The same for a household, which is farther away.
        medium_factor: By how much all this is slower for alarms of medium priority. Low never escalates.
        standby_poll_s: How often a second process looks whether the first is gone.
        statement_timeout_s: After how long a query is given up.
        stall_s_max: A round that takes longer stands still, and the process ends to be started again.
    """

    database_url: str
    household_village_assistant_s: AfterS = 120
    household_township_s: AfterS = 300
    household_county_s: AfterS = 600
    home_shift_leader_s: AfterS = 60
    home_director_s: AfterS = 180
    home_operator_s: AfterS = 300
    home_county_s: AfterS = 600
    home_arrival_s: AfterS = 300
    household_arrival_s: AfterS = 2_700
    medium_factor: Annotated[float, Meta(ge=1, le=100)] = 5.0
    standby_poll_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    statement_timeout_s: Annotated[float, Meta(gt=0, le=600)] = 10.0
    stall_s_max: Annotated[float, Meta(ge=1, le=86_400)] = STALL_S_MAX
