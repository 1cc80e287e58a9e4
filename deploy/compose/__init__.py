"""Anshou in containers."""
