"""What a home can say and how it is written. Knows no other room."""
