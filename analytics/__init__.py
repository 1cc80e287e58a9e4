"""Finds what is wrong: detectors look at the history, the judge decides, alarms are opened or ended."""
