"""One alarm: its steps, its timeline, why it is there, and what people say of it."""
