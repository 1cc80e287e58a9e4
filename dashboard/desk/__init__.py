"""The desk: what is wrong now, who goes, and how everybody else is."""
