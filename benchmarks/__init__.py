"""How fast it is: what docs/performance.md quotes, each a command, `anshou bench NAME [--json]`."""
