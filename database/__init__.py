"""The database: connections, named queries, leases, migrations, roles. Knows no noun of the care record."""
