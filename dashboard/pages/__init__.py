"""The pages, one noun a module. Each has a `router`; endpoints run in threads and use `session_of`."""
