"""The edge: what a home can say, and how it gets out."""
