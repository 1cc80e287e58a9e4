"""What docs/performance.md quotes, each a command: `anshou bench NAME [--json]`."""
