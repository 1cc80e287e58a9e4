"""For whoever comes from another machine over plain HTTP: where the pages are."""
