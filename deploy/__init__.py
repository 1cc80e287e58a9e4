"""Ways to run Anshou: one machine with nothing prepared, containers, systemd units."""
