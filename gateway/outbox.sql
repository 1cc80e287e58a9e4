-- The outbox of one gateway. Times are milliseconds since 1970 UTC.

-- Whatever has said something: key as the gateway knows it, name as the centre calls it (NULL: not adopted yet).
CREATE TABLE IF NOT EXISTS device (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    name TEXT
) STRICT;

-- Each start of the box, and when it began as far as the centre has told the time (NULL: it never did).
CREATE TABLE IF NOT EXISTS boot (
    id INTEGER PRIMARY KEY,
    boot_id TEXT NOT NULL UNIQUE,
    begins_ms INTEGER
) STRICT;

-- What waits to be sent in batches. heard_ms: the gateway's time of receipt, NULL when that cannot be right;
-- boot and boot_ms only while it is unsure and the device gave no time of its own.
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    device INTEGER NOT NULL REFERENCES device,
    leaf TEXT NOT NULL,
    heard_ms INTEGER,
    boot INTEGER,
    boot_ms INTEGER,
    payload BLOB NOT NULL
) STRICT;

-- The same of alarms, which go singly. sent: what the first sending said, for every later one to say as well.
CREATE TABLE IF NOT EXISTS alarm (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    device INTEGER NOT NULL REFERENCES device,
    heard_ms INTEGER,
    boot INTEGER,
    boot_ms INTEGER,
    payload BLOB NOT NULL,
    sent BLOB
) STRICT;

-- The same of devices that nobody has adopted yet; leaf may be 'alarm'.
CREATE TABLE IF NOT EXISTS waiting (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    device INTEGER NOT NULL REFERENCES device,
    leaf TEXT NOT NULL,
    heard_ms INTEGER,
    boot INTEGER,
    boot_ms INTEGER,
    payload BLOB NOT NULL
) STRICT;

-- Batches that are under way: id and content belong together until the receipt.
CREATE TABLE IF NOT EXISTS batch (
    id TEXT PRIMARY KEY,
    sealed_ms INTEGER,
    message_count INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

-- Devices to be adopted, as they were last proposed.
CREATE TABLE IF NOT EXISTS proposal (
    key TEXT PRIMARY KEY,
    payload BLOB NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What each dialect has learnt of each device, as JSON.
CREATE TABLE IF NOT EXISTS knowledge (
    dialect TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (dialect, key)
) STRICT, WITHOUT ROWID;

-- Small things that must survive a restart, by name.
CREATE TABLE IF NOT EXISTS state (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- Running totals.
CREATE TABLE IF NOT EXISTS counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
