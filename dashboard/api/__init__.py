"""A small JSON interface, for the charts of our pages and for programs that hold a session."""
