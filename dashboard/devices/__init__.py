"""Whether intake works, devices that need a look, gateways and what they propose, messages that were not stored."""
