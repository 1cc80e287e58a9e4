-- The care record: who and what is where, with history.
-- depends:

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE SCHEMA care;
COMMENT ON SCHEMA care IS 'People, places, devices, staff and alarms. Row security guards every table.';

-- Roles belong to the whole server, so they may be there already.
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['anshou_web', 'anshou_ingest', 'anshou_service'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this server was migrated at the same moment
            END;
        END IF;
    END LOOP;
END
$$;

CREATE TYPE care.site_kind AS ENUM ('care_home', 'day_centre', 'household');
CREATE TYPE care.care_category AS ENUM ('tekun_centralised', 'tekun_dispersed', 'private');
CREATE TYPE care.self_care_level AS ENUM ('able', 'partial_loss', 'total_loss');
CREATE TYPE care.room_kind AS ENUM ('bedroom', 'bathroom', 'kitchen', 'living_room', 'hallway', 'other');
CREATE TYPE care.power_source AS ENUM ('mains', 'battery');
CREATE TYPE care.staff_role AS ENUM (
    'county_supervisor', 'township_officer', 'operator_manager', 'home_director',
    'shift_leader', 'caregiver', 'carer', 'village_assistant'
);
CREATE TYPE care.scope_kind AS ENUM ('county', 'township', 'operator', 'site');

CREATE TABLE care.operator (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text NOT NULL CHECK (name <> ''),
    phone text
);
COMMENT ON TABLE care.operator IS 'An organisation that runs homes under contract (运营方, x+N).';

CREATE TABLE care.site (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    kind care.site_kind NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    operator_id integer REFERENCES care.operator,
    township text NOT NULL CHECK (township <> ''),
    village text,
    address text,
    phone text,
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz
);
COMMENT ON TABLE care.site IS 'A care home, a day centre or a household; `code` is its level in MQTT topics.';
CREATE INDEX site_operator ON care.site (operator_id);
CREATE INDEX site_township ON care.site (township);

CREATE TABLE care.room (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id integer NOT NULL REFERENCES care.site,
    name text NOT NULL CHECK (name <> ''),
    kind care.room_kind NOT NULL DEFAULT 'bedroom',
    floor smallint,
    UNIQUE (site_id, name)
);
COMMENT ON TABLE care.room IS 'A room of a site.';

CREATE TABLE care.bed (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id integer NOT NULL REFERENCES care.room,
    label text NOT NULL CHECK (label <> ''),
    UNIQUE (room_id, label)
);
COMMENT ON TABLE care.bed IS 'A bed in a room.';

CREATE TABLE care.resident (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id integer NOT NULL REFERENCES care.site,
    name text NOT NULL CHECK (name <> ''),
    sex text NOT NULL CHECK (sex IN ('female', 'male')),
    born_on date NOT NULL CHECK (born_on BETWEEN '1880-01-01' AND '2020-01-01'),
    category care.care_category NOT NULL,
    can_eat boolean NOT NULL DEFAULT true,
    can_dress boolean NOT NULL DEFAULT true,
    can_get_in_and_out_of_bed boolean NOT NULL DEFAULT true,
    can_toilet boolean NOT NULL DEFAULT true,
    can_walk_indoors boolean NOT NULL DEFAULT true,
    can_bathe boolean NOT NULL DEFAULT true,
    abilities_lost smallint NOT NULL GENERATED ALWAYS AS (
        (NOT can_eat)::int + (NOT can_dress)::int + (NOT can_get_in_and_out_of_bed)::int
        + (NOT can_toilet)::int + (NOT can_walk_indoors)::int + (NOT can_bathe)::int
    ) STORED,
    self_care_level care.self_care_level NOT NULL GENERATED ALWAYS AS (
        CASE (NOT can_eat)::int + (NOT can_dress)::int + (NOT can_get_in_and_out_of_bed)::int
            + (NOT can_toilet)::int + (NOT can_walk_indoors)::int + (NOT can_bathe)::int
            WHEN 0 THEN 'able'::care.self_care_level
            WHEN 1 THEN 'partial_loss' WHEN 2 THEN 'partial_loss' WHEN 3 THEN 'partial_loss'
            ELSE 'total_loss'
        END
    ) STORED,
    spo2_scale smallint NOT NULL DEFAULT 1 CHECK (spo2_scale IN (1, 2)),
    on_oxygen boolean NOT NULL DEFAULT false,
    phone text,
    family_contact text,
    notes text,
    admitted_on date NOT NULL DEFAULT current_date,
    left_on date CHECK (left_on >= admitted_on)
);
COMMENT ON TABLE care.resident IS 'An elder. `site_id` is where they live now; care.residence has the history.';
COMMENT ON COLUMN care.resident.self_care_level IS 'From the six abilities: none lost, 1-3 lost, 4 or more lost.';
COMMENT ON COLUMN care.resident.spo2_scale IS 'NEWS2 scale: 2 only for confirmed hypercapnic respiratory failure.';
CREATE INDEX resident_site ON care.resident (site_id);

CREATE TABLE care.residence (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resident_id integer NOT NULL REFERENCES care.resident,
    site_id integer NOT NULL REFERENCES care.site,
    bed_id integer REFERENCES care.bed,
    during tstzrange NOT NULL CHECK (NOT isempty(during) AND lower_inc(during)),
    CONSTRAINT one_home_at_a_time EXCLUDE USING gist (resident_id WITH =, during WITH &&),
    CONSTRAINT one_resident_a_bed EXCLUDE USING gist (bed_id WITH =, during WITH &&)
);
COMMENT ON TABLE care.residence IS 'Where a resident lived and slept, from when to when.';

CREATE TABLE care.device (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id integer NOT NULL REFERENCES care.site,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    kind text NOT NULL,
    model text,
    power care.power_source NOT NULL,
    secret_sha512 bytea CHECK (octet_length(secret_sha512) = 64),
    secret_salt bytea,
    secret_iterations integer,
    added_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
COMMENT ON TABLE care.device IS 'A device; `name` is its level in MQTT topics and its user name at the broker.';
COMMENT ON COLUMN care.device.secret_sha512 IS 'PBKDF2-SHA512 of its secret, as Mosquitto keeps it; null: the device speaks only through a gateway.';
CREATE INDEX device_site ON care.device (site_id);

CREATE TABLE care.device_assignment (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id integer NOT NULL REFERENCES care.device,
    resident_id integer REFERENCES care.resident,
    room_id integer REFERENCES care.room,
    during tstzrange NOT NULL CHECK (NOT isempty(during) AND lower_inc(during)),
    CHECK (num_nonnulls(resident_id, room_id) = 1),
    CONSTRAINT one_assignment_at_a_time EXCLUDE USING gist (device_id WITH =, during WITH &&)
);
COMMENT ON TABLE care.device_assignment IS 'Whom or which room a device watched, from when to when.';
CREATE INDEX device_assignment_resident ON care.device_assignment (resident_id);
CREATE INDEX device_assignment_room ON care.device_assignment (room_id);

CREATE TABLE care.staff (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text NOT NULL UNIQUE CHECK (username ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    name text NOT NULL CHECK (name <> ''),
    role care.staff_role NOT NULL,
    phone text,
    scope care.scope_kind NOT NULL,
    township text,
    operator_id integer REFERENCES care.operator,
    password_argon2 text CHECK (password_argon2 LIKE '$argon2id$%'),
    language text NOT NULL DEFAULT 'zh_CN' CHECK (language IN ('zh_CN', 'en')),
    added_at timestamptz NOT NULL DEFAULT now(),
    left_at timestamptz,
    CHECK ((scope = 'township') = (township IS NOT NULL)),
    CHECK ((scope = 'operator') = (operator_id IS NOT NULL))
);
COMMENT ON TABLE care.staff IS 'Someone who works with the platform; `scope` says whose residents they may see.';

CREATE TABLE care.staff_site (
    staff_id integer NOT NULL REFERENCES care.staff,
    site_id integer NOT NULL REFERENCES care.site,
    PRIMARY KEY (staff_id, site_id)
);
COMMENT ON TABLE care.staff_site IS 'The sites of a member of staff whose scope is `site`.';

-- The resident's present site follows the history, so that the two cannot disagree.
CREATE FUNCTION care.follow_residence() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.during @> now() AND upper_inf(NEW.during) THEN
        UPDATE care.resident SET site_id = NEW.site_id WHERE id = NEW.resident_id AND site_id <> NEW.site_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_residence AFTER INSERT OR UPDATE ON care.residence
    FOR EACH ROW EXECUTE FUNCTION care.follow_residence();

-- Processes that keep the register in memory (ingest) hear of every change.
CREATE FUNCTION care.tell_registry_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('anshou_registry', TG_TABLE_NAME);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_registry_changed AFTER INSERT OR UPDATE OR DELETE ON care.device
    FOR EACH STATEMENT EXECUTE FUNCTION care.tell_registry_changed();
CREATE TRIGGER tell_registry_changed AFTER INSERT OR UPDATE OR DELETE ON care.device_assignment
    FOR EACH STATEMENT EXECUTE FUNCTION care.tell_registry_changed();
CREATE TRIGGER tell_registry_changed AFTER INSERT OR UPDATE OR DELETE ON care.residence
    FOR EACH STATEMENT EXECUTE FUNCTION care.tell_registry_changed();
