CREATE TABLE entities (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL,
    value jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    UNIQUE (kind, name)
);
COMMENT ON TABLE entities IS 'The asset register: each entity as it stands, with its whole history of fittings and settings.';
COMMENT ON COLUMN entities.kind IS 'usage-point, module, concentrator, balance-group, reading-edit';
COMMENT ON COLUMN entities.name IS 'Id of the entity, unique within its kind.';
COMMENT ON COLUMN entities.version IS 'Rises with each change; the one published.';
COMMENT ON COLUMN entities.value IS 'Fields of its record on the topic of its kind; instants in ms since 1970.';

CREATE TABLE links (
    entity_id bigint NOT NULL REFERENCES entities ON DELETE CASCADE,
    to_kind text NOT NULL,
    to_name text NOT NULL,
    PRIMARY KEY (entity_id, to_kind, to_name)
);
CREATE INDEX links_by_target ON links (to_kind, to_name);
COMMENT ON TABLE links IS 'Which entities an entity names: modules of a usage point, concentrators of a module, members of a group.';

CREATE TABLE changes (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    changed_at timestamptz NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL,
    author text NOT NULL,
    way text NOT NULL,
    reason text,
    restored bigint REFERENCES changes,
    before jsonb,
    after jsonb NOT NULL,
    UNIQUE (kind, name, version)
);
CREATE INDEX changes_by_time ON changes (changed_at, number);
COMMENT ON TABLE changes IS 'The log of last changes: rows are only ever added.';
COMMENT ON COLUMN changes.version IS 'Of the entity, once it was changed.';
COMMENT ON COLUMN changes.way IS 'import, form, api, restore';
COMMENT ON COLUMN changes.restored IS 'The change whose outcome this one brought back.';
COMMENT ON COLUMN changes.before IS 'Null where the entity was new.';

CREATE FUNCTION refuse_to_forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log of changes is only ever added to';
END
$$;
CREATE TRIGGER changes_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON changes
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_forget();

CREATE VIEW v_entities AS SELECT kind, name, version, value, changed_at FROM entities;
COMMENT ON VIEW v_entities IS 'The asset register as it stands.';
CREATE VIEW v_changes AS
SELECT number, changed_at, kind, name, version, author, way, reason, restored, before, after FROM changes;
COMMENT ON VIEW v_changes IS 'Every change of the register: who, when, by which way, why, before and after.';
CREATE VIEW v_links AS
SELECT e.kind, e.name, l.to_kind, l.to_name FROM links l JOIN entities e ON e.id = l.entity_id;
COMMENT ON VIEW v_links IS 'Which entity names which.';
GRANT SELECT ON v_entities, v_changes, v_links TO balance_reader;
