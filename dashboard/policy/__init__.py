"""What the county has decided: seen by all who look after the county, changed by its supervisors."""
