"""Finds what is wrong: detectors look at the history, the judge decides, care.alarms carries it out."""
