"""How intake is, devices that need a look, gateways and what they propose, what could not be stored."""
