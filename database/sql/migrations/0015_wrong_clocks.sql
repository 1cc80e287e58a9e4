-- Statuses whose time had to be replaced: rare, and looked for every hour among all others.
CREATE INDEX device_status_clock_replaced ON readings.device_status (device_id, time) WHERE clock_replaced;
