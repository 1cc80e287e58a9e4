"""One resident: who they are, how they are, what watches them."""
