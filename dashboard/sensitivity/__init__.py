"""How easily each detector speaks for one resident: seen by all who see them, changed by those who lead."""
