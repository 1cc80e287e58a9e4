"""Settings of analytics. Every threshold of a detector is here, with its unit in its name."""

from typing import Annotated

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, lt=1)]
SpanS = Annotated[int, Meta(ge=60, le=30 * 86_400)]
SignAgeS = Annotated[int, Meta(ge=60, le=86_400)]
InactivityS = Annotated[int, Meta(ge=600, le=86_400)]
SilenceS = Annotated[int, Meta(ge=300, le=86_400)]
HourOfDay = Annotated[int, Meta(ge=0, le=23)]


class AnalyticsSettings(Struct, frozen=True, kw_only=True):
    """Read from `ANSHOU_ANALYTICS_…`.

    Attributes:
        database_url: The database, with the role `anshou_service`.
        interval_s: Between two passes, which begin on whole multiples of it. At most a minute: every minute
            in which analytics ran is remembered as one that was listened to.
        standby_poll_s: How often a second process looks whether the first is gone.
        statement_timeout_s: After how long a query is given up.
        vitals_window_s: The short window of the early warning.
        vitals_samples_min: With fewer samples in it the window reaches back to the last so many.
        vitals_lookback_s: How far it reaches back at most for them.
        vitals_abnormal_share: An alarm needs more than this share of the window's samples abnormal.
        vitals_normal_share: The alarm's cause is gone when no more than this share is abnormal.
        hr_age_s_max: A pulse older than this is not scored; so for the other signs.
        rr_age_s_max: Respiration.
        spo2_age_s_max: Oxygen saturation.
        temp_age_s_max: Temperature; measured a few times a day, so it holds for hours.
        sbp_age_s_max: Systolic blood pressure; likewise.
        offline_mains_s: Silence after which a mains-powered device is offline.
        offline_battery_s: So for a battery-powered one.
        offline_on_demand_s: So for one that speaks only when somebody uses it: cuff, thermometer, tag.
        offline_hold_back_s: By how much all that is longer while nothing at all is heard from the county.
        inactivity_s: Silence of a person's sensors that is too long.
        inactivity_bathroom_s: So for a person who was last seen in a bathroom.
        inactivity_high_factor: At so many times this silence the priority becomes high.
        night_begins_h: Local hour at which being in bed becomes no reason to worry.
        night_ends_h: Local hour at which that ends.
        vitals_silence_s: For how long after an alarm's end the same is not raised again, unless it is worse.
        offline_silence_s: So for devices.
        inactivity_silence_s: So for inactivity.
    """

    database_url: str
    interval_s: Annotated[int, Meta(ge=1, le=60)] = 60
    standby_poll_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    statement_timeout_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
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
    offline_mains_s: SpanS = 600
    offline_battery_s: SpanS = 25 * 3_600
    offline_on_demand_s: SpanS = 7 * 86_400
    offline_hold_back_s: SpanS = 1_800
    inactivity_s: InactivityS = 10 * 3_600
    inactivity_bathroom_s: InactivityS = 4 * 3_600
    inactivity_high_factor: Annotated[float, Meta(ge=1, le=10)] = 1.5
    night_begins_h: HourOfDay = 20
    night_ends_h: HourOfDay = 8
    vitals_silence_s: SilenceS = 1_800
    offline_silence_s: SilenceS = 6 * 3_600
    inactivity_silence_s: SilenceS = 3_600
