"""How good the analytics are on people who really lived: replays of public records, past-only.

A loader for each set (`tihm`, `physionet2012`), an experiment for each question (`agitation`, `limits`,
`mortality`), measures (`metrics`), and reports. Nothing here runs in production; what is scored does.
"""
