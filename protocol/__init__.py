"""What a home can say and how it is written. Every other room may import this one; it knows none of them."""
