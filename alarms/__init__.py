"""Alarms from raised to closed: their states, who must be told, what people say of them."""
