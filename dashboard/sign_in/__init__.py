"""Signing in and out, and the choice of a language: the only page that works without a session."""
