"""How good analytics is: on public records of real people and on simulated counties, from the past only.

A loader for each set (`tihm`, `physionet2012`), an experiment for each question (`agitation`, `limits`,
`mortality`), measures (`metrics`), and reports. Nothing here runs in production; what is scored does.
"""
