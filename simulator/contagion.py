"""An infection that goes round a care home: first one falls ill, then those about them.

Drawn for each home and span of `WINDOW_DAYS`; who catches it, and when, hangs on the person alone.
"""

from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from simulator.chance import generator
from simulator.clock import DAY_MS, day_start_ms
from simulator.illness import LONGEST_COURSE_DAYS, Course, IllnessKind
from simulator.labels import Label, LabelKind
from simulator.plan import County, SiteSort

WINDOW_DAYS = 90
PER_WINDOW = 0.12
"""Chance that an infection comes into a home of ordinary life in a window."""
_SHARES = (0.2, 0.55)
"""Least and greatest share of the residents who catch it."""
_SPREADS_DAYS = 3.5
"""Mean time from the first case to another."""
_LASTS_DAYS_MAX = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbreak:
    """One infection in one home: its cases by person, in the order of their onset."""

    site: int
    cases: tuple[tuple[int, Course], ...]

    def label(self) -> Label:
        """From the first onset to the last recovery."""
        peaks_ms = [course.peak_ms for _, course in self.cases]
        return Label(
            kind=LabelKind.OUTBREAK,
            site=self.site,
            begin_ms=self.cases[0][1].onset_ms,
            end_ms=max(course.end_ms for _, course in self.cases),
            peak_ms=int(median(peaks_ms)),
            severity=float(len(self.cases)),
        )


def outbreaks_on(county: County, site: int, day: int, rate: float) -> tuple[Outbreak, ...]:
    """The outbreaks that touch simulated day `day` in a site; none but in care homes."""
    if rate <= 0 or county.sites[site].sort is not SiteSort.CARE_HOME:
        return ()
    begin_ms = day_start_ms(day)
    first = (day - LONGEST_COURSE_DAYS - _LASTS_DAYS_MAX) // WINDOW_DAYS
    found = (_in_window(county, site, window, rate) for window in range(first, day // WINDOW_DAYS + 1))
    return tuple(
        one
        for one in found
        if one is not None and one.label().begin_ms < begin_ms + DAY_MS and one.label().end_ms > begin_ms
    )


def course_of(outbreak: Outbreak, subject: int) -> Course | None:
    """How a person goes through it, if they catch it."""
    return next((course for case, course in outbreak.cases if case == subject), None)


@lru_cache(maxsize=4096)
def _in_window(county: County, site: int, window: int, rate: float) -> Outbreak | None:
    rng = generator(county.seed, "outbreak", site, window)
    if rng.random() >= PER_WINDOW * rate:
        return None
    onset_ms = day_start_ms(window * WINDOW_DAYS) + int(rng.random() * WINDOW_DAYS * DAY_MS)
    share = rng.uniform(*_SHARES)
    residents = [subject.index for subject in county.subjects_of(site)]
    caught = [subject for subject in residents if rng.random() < share] or residents[:1]
    delays_days = sorted(min(float(rng.gamma(2, _SPREADS_DAYS / 2)), _LASTS_DAYS_MAX) for _ in caught)
    delays_days[0] = 0.0
    cases = [
        Course(
            kind=IllnessKind.RESPIRATORY_INFECTION,
            onset_ms=onset_ms + int(delay * DAY_MS),
            severity=float(rng.uniform(0.5, 1.1)),
        )
        for delay in delays_days
    ]
    order = [caught[place] for place in rng.permutation(len(caught))]
    return Outbreak(site=site, cases=tuple(zip(order, cases, strict=True)))
