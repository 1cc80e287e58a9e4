"""Whatever dies under load, what went through a gateway is there once, as it was said: a short run.

The long one is `anshou bench faults`. A run that fails tells its seed, which replays the same faults.
"""

import secrets

import pytest

from benchmarks.faults.trial import NotHealedError, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(420),
    # paho leaves a socket to the garbage collector when its TLS handshake fails.
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
]

FAULTS = 10


def test_nothing_is_lost_doubled_or_altered() -> None:
    seed = secrets.randbelow(2**31)
    replay = f"to replay: anshou bench faults --seed {seed} --faults {FAULTS}"
    try:
        outcome = run(seed, FAULTS)
    except NotHealedError as error:
        pytest.fail(f"{error}; {replay}")
    verdict = outcome.verdict
    assert verdict.gateways.said > 1_000, replay
    assert verdict.faultless, f"{verdict}; {replay}"
    assert not outcome.unexplained, f"{outcome.unexplained}; {replay}"
    never = [item.fault for item in outcome.overcome if item.seconds is None]
    assert not never, f"never overcome: {never}; {replay}"
