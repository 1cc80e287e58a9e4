"""Settings of analytics: thresholds of detectors that no county sets, each with its unit in its name.

What the county sets is in `care.policy`.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from analytics.models.restlessness import ALARM_SHARE
from protocol.environment import read_settings

Share = Annotated[float, Meta(ge=0, lt=1)]
SpanS = Annotated[int, Meta(ge=60, le=30 * 86_400)]
SignAgeS = Annotated[int, Meta(ge=60, le=86_400)]
InactivityS = Annotated[int, Meta(ge=600, le=86_400)]
SilenceS = Annotated[int, Meta(ge=300, le=86_400)]
HourOfDay = Annotated[int, Meta(ge=0, le=23)]
SystolicLow = Annotated[float, Meta(ge=40, le=120)]
SystolicHigh = Annotated[float, Meta(ge=130, le=300)]
DiastolicLow = Annotated[float, Meta(ge=20, le=70)]
DiastolicHigh = Annotated[float, Meta(ge=80, le=200)]
PulseLow = Annotated[float, Meta(ge=20, le=60)]
PulseHigh = Annotated[float, Meta(ge=80, le=300)]


class AnalyticsSettings(Struct, frozen=True, kw_only=True):
    """Read from `ANSHOU_ANALYTICS_…`.

    Attributes:
        database_url: The database, with the role `anshou_service`.
        interval_s: Between two passes, which begin on whole multiples of it. At most a minute: every minute
            in which analytics ran is remembered as one that was listened to.
        standby_poll_s: How often a second process looks whether the first is gone.
        statement_timeout_s: After how long a query is given up.
        stall_s_max: A detector that takes longer stands still, and the process ends to be started again.
        vitals_window_s: The short window of the early warning.
        vitals_samples_min: With fewer samples in it the window reaches back to the last so many.
        vitals_lookback_s: How far it reaches back at most for them.
        vitals_abnormal_share: An alarm needs more than this share of the window's samples abnormal.
        vitals_normal_share: The alarm's cause is gone when no more than this share is abnormal.
        hr_age_s_max: A pulse older than this is not scored; the same for the other signs.
        rr_age_s_max: Respiration.
        spo2_age_s_max: Oxygen saturation.
        temp_age_s_max: Temperature; measured a few times a day, so it holds for hours.
        sbp_age_s_max: Systolic blood pressure; likewise.
        offline_hold_back_s: By how much the limits of silence are longer while nothing at all is heard.
        inactivity_s: Silence of a person's sensors that is too long.
        inactivity_bathroom_s: The same for a person who was last seen in a bathroom.
        inactivity_personal_factor: A silence is too long at so many times the longest that the person had
            there at that time of day in the last weeks, where that is known;
        inactivity_personal_margin_s: plus this;
        inactivity_personal_s_min: but not before this,
        inactivity_personal_bathroom_s_min: or this in a bathroom,
        inactivity_personal_s_max: and never later than this (in a bathroom: `inactivity_bathroom_s`).
        inactivity_high_factor: At so many times this silence the priority becomes high.
        limits_sbp_mmhg_low: A measured systolic pressure of at most so much is told,
        limits_sbp_mmhg_high: or of at least so much;
        limits_dbp_mmhg_low: so for diastolic pressure,
        limits_dbp_mmhg_high: likewise;
        limits_hr_bpm_low: and for the pulse,
        limits_hr_bpm_high: likewise.
        baseline_score: Combined personal deviations from which on signs have left what is usual.
        baseline_trend_deviations: Personal deviations of one sign over three days that are a trend.
        baseline_persistence_h: For how many hours that must hold.
        rest_from_h: Local hour at which being in bed becomes no reason to worry.
        rest_to_h: Local hour at which that ends.
        bed_exit_high_factor: At so many times the limit out of bed at night, with nothing seen since, the
            priority becomes high.
        wandering_high_factor: At so many times the limit after a door at night the priority becomes high.
        weak_breathing_rr: Breaths a minute, at most so many of which are too few.
        weak_breathing_window_s: The window in which nearly all readings must be so.
        weak_breathing_samples_min: With fewer readings in it nothing is said.
        no_turning_medium_factor: At so many times the limit without being turned the priority becomes medium.
        fall_grade_s: For how long after a fall nothing must move before it is certain.
        fall_walk_s: A person who walks or lies in bed within this time has hardly fallen badly.
        fall_window_s: For how long after a fall its alarm is added to.
        flat_hr_s: A pulse that does not change in this time is a stuck sensor.
        flat_other_s: The same for oxygen and temperature, which are steadier.
        battery_days: A battery that will be low in fewer days is named.
        refusals_max: So many messages a day outside physical limits are a fault.
        presses_max: A button that is pressed so often in a day is a fault, unless somebody says otherwise.
        outbreak_cases_min: So many people newly ill in three days are an outbreak at the earliest.
        outbreak_chance_max: And no more likely than this by the home's own background.
        routine_distance: How far, in personal deviations, habits must be from the past.
        routine_rare_share: And rarer than this share of all days of all people.
        restlessness_share: The share of all days of people living alone that is restless enough to be told.
        models_age_days_max: What was learnt at night is used for so many days after its last reading; then
            it is learnt anew from the history until a training succeeds.
        training_s_max: After how long a nightly training is given up.
        training_statement_s_max: The same for one query of it.
        vitals_silence_s: For how long after an alarm's end the same is not raised again, unless it is worse.
        vitals_repeated_silence_s_max: It doubles with each such alarm of three days that somebody has
            resolved, up to this; not for high priority, nor for two points of NEWS2 more.
        offline_silence_s: The same for silent devices.
        slow_silence_s: The same for what is not looked at every minute.
        inactivity_silence_s: The same for inactivity.
        absence_silence_s: The same for people who hardly live where they are said to live.
    """

    database_url: str
    interval_s: Annotated[int, Meta(ge=1, le=60)] = 60
    standby_poll_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    statement_timeout_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
    stall_s_max: Annotated[float, Meta(ge=1, le=86_400)] = 600.0
    vitals_window_s: SpanS = 900
    vitals_samples_min: Annotated[int, Meta(ge=1, le=100)] = 3
    vitals_lookback_s: SpanS = 3_600
    vitals_abnormal_share: Share = 0.8
    vitals_normal_share: Share = 0.2
    hr_age_s_max: SignAgeS = 1_800
    rr_age_s_max: SignAgeS = 1_800
    spo2_age_s_max: SignAgeS = 1_800
    temp_age_s_max: SignAgeS = 6 * 3_600
    sbp_age_s_max: SignAgeS = 6 * 3_600
    offline_hold_back_s: SpanS = 1_800
    inactivity_s: InactivityS = 10 * 3_600
    inactivity_bathroom_s: InactivityS = 4 * 3_600
    inactivity_personal_factor: Annotated[float, Meta(ge=1, le=10)] = 1.5
    inactivity_personal_margin_s: Annotated[int, Meta(ge=0, le=86_400)] = 1_800
    inactivity_personal_s_min: InactivityS = 4 * 3_600
    inactivity_personal_bathroom_s_min: InactivityS = 5_400
    inactivity_personal_s_max: InactivityS = 12 * 3_600
    inactivity_high_factor: Annotated[float, Meta(ge=1, le=10)] = 1.5
    limits_sbp_mmhg_low: SystolicLow = 90.0
    limits_sbp_mmhg_high: SystolicHigh = 160.0
    limits_dbp_mmhg_low: DiastolicLow = 54.0
    limits_dbp_mmhg_high: DiastolicHigh = 100.0
    limits_hr_bpm_low: PulseLow = 50.0
    limits_hr_bpm_high: PulseHigh = 100.0
    baseline_score: Annotated[float, Meta(gt=0, le=100)] = 3.0
    baseline_trend_deviations: Annotated[float, Meta(gt=0, le=100)] = 5.0
    baseline_persistence_h: Annotated[int, Meta(ge=1, le=24)] = 2
    rest_from_h: HourOfDay = 20
    rest_to_h: HourOfDay = 8
    bed_exit_high_factor: Annotated[float, Meta(ge=1, le=10)] = 2.0
    wandering_high_factor: Annotated[float, Meta(ge=1, le=10)] = 3.0
    weak_breathing_rr: Annotated[float, Meta(gt=0, le=12)] = 7.5
    weak_breathing_window_s: SpanS = 600
    weak_breathing_samples_min: Annotated[int, Meta(ge=1, le=100)] = 5
    no_turning_medium_factor: Annotated[float, Meta(ge=1, le=10)] = 1.5
    fall_grade_s: SpanS = 120
    fall_walk_s: SpanS = 600
    fall_window_s: SpanS = 7_200
    flat_hr_s: SpanS = 6 * 3_600
    flat_other_s: SpanS = 24 * 3_600
    battery_days: Annotated[int, Meta(ge=1, le=90)] = 14
    refusals_max: Annotated[int, Meta(ge=1, le=10_000)] = 5
    presses_max: Annotated[int, Meta(ge=2, le=1_000)] = 10
    outbreak_cases_min: Annotated[int, Meta(ge=2, le=100)] = 3
    outbreak_chance_max: Share = 0.001
    routine_distance: Annotated[float, Meta(gt=0, le=10)] = 4.0
    routine_rare_share: Share = 0.005
    restlessness_share: Share = ALARM_SHARE
    models_age_days_max: Annotated[int, Meta(ge=3, le=60)] = 14
    training_s_max: Annotated[int, Meta(ge=60, le=6 * 3_600)] = 3_600
    training_statement_s_max: Annotated[float, Meta(gt=0, le=3_600)] = 300.0
    vitals_silence_s: SilenceS = 1_800
    vitals_repeated_silence_s_max: SilenceS = 12 * 3_600
    offline_silence_s: SilenceS = 6 * 3_600
    slow_silence_s: SilenceS = 86_400
    inactivity_silence_s: SilenceS = 3_600
    absence_silence_s: Annotated[int, Meta(ge=0, le=40 * 86_400)] = 7 * 86_400


_POLICY = "the county sets this now, on its page or with: anshou policy set"
MOVED: Mapping[str, str] = {
    "offline_mains_s": f"{_POLICY} device_silence_mains_s",
    "offline_battery_s": f"{_POLICY} device_silence_battery_s",
    "offline_on_demand_s": f"{_POLICY} device_silence_on_demand_s",
    "bed_exit_begins_h": f"{_POLICY} night_from_h",
    "bed_exit_ends_h": f"{_POLICY} night_to_h",
    "bed_exit_s": f"{_POLICY} bed_exit_s",
    "wandering_s": f"{_POLICY} wandering_s",
    "wandering_high_s": "a multiple of the county's wandering_s now: wandering_high_factor",
    "no_turning_s": f"{_POLICY} no_turning_s",
    "absence_days": f"{_POLICY} absence_days",
    "absence_red_days": f"{_POLICY} absence_red_days",
    "bed_unused_nights": f"{_POLICY} bed_unused_nights",
    "night_begins_h": "now rest_from_h",
    "night_ends_h": "now rest_to_h",
}
"""Settings that there once were, and where each has gone."""


def settings_of(environ: Mapping[str, str]) -> AnalyticsSettings:
    """The settings in `environ`. SettingsError for what is unknown, and with the way for what has moved."""
    return read_settings(AnalyticsSettings, "analytics", environ, moved=MOVED)
