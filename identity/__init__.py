"""Who may do what: people who sign in, their sessions and their secrets."""
