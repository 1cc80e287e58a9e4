"""The words that only a resident's page says."""

from collections.abc import Mapping
from enum import StrEnum

from care.model import Ability, CareCategory
from dashboard.curves import Range
from protocol.texts import N_

CATEGORY: Mapping[StrEnum, str] = {
    CareCategory.TEKUN_CENTRALISED: N_("Tekun, cared for in a home"),
    CareCategory.TEKUN_DISPERSED: N_("Tekun, cared for at home"),
    CareCategory.PRIVATE: N_("Private"),
}
ABILITY: Mapping[StrEnum, str] = {
    Ability.EAT: N_("eating"),
    Ability.DRESS: N_("dressing"),
    Ability.GET_IN_AND_OUT_OF_BED: N_("getting in and out of bed"),
    Ability.TOILET: N_("using the toilet"),
    Ability.WALK_INDOORS: N_("walking indoors"),
    Ability.BATHE: N_("bathing"),
}
RANGE: Mapping[StrEnum, str] = {
    Range.DAY: N_("24 hours"),
    Range.WEEK: N_("7 days"),
    Range.SEASON: N_("90 days"),
    Range.YEAR: N_("1 year"),
}
