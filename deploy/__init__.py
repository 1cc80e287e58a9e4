"""The command `anshou`, and ways to run it all: one machine with nothing prepared, containers, systemd."""
