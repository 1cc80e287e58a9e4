"""All sites in scope: what waits, what answers, what works."""
