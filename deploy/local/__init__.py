"""Everything on one machine: private servers, front-end files, one supervisor.

Nothing here needs root, and nothing here touches the system's own packages or services.
"""
