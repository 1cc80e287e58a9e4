"""Finds what is wrong: detectors look at the history, the judge decides, `alarms.lifecycle` acts."""
