ALTER TABLE entities ADD COLUMN words tsvector;
CREATE INDEX entities_by_word ON entities USING gin (words);
CREATE INDEX entities_without_words ON entities (id) WHERE words IS NULL;
COMMENT ON COLUMN entities.words IS
'What it is found by, made by the gateway: words of its ids and path; =id for the whole of one; #kind; >hash for each place it lies in. Null until they are made.';

CREATE VIEW v_search AS SELECT kind, name, value, words FROM entities;
COMMENT ON VIEW v_search IS 'The asset register by the words of its ids and paths.';
COMMENT ON COLUMN v_search.kind IS 'usage-point, module, concentrator, balance-group, reading-edit';
COMMENT ON COLUMN v_search.name IS 'Id of the entity, unique within its kind.';
COMMENT ON COLUMN v_search.value IS 'Fields of its record on the topic of its kind; instants in ms since 1970.';
COMMENT ON COLUMN v_search.words IS 'What it is found by: words, =id, #kind, >place.';
GRANT SELECT ON v_search TO balance_reader;
