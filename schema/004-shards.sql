-- Delta CRLs (RFC 5280 5.2.4) and lists of limited scope (5.2.5), each of a part of what a CA
-- issued: a shard.

-- A delta takes its number from the same row as complete lists; base = number of the complete list
-- that it continues, NULL = this is a complete list. Set with the rest when the list is finished.
ALTER TABLE crl ADD COLUMN base INTEGER;
CREATE INDEX crl_complete ON crl(ca, number) WHERE event IS NOT NULL AND base IS NULL;
CREATE INDEX crl_delta ON crl(ca, number) WHERE event IS NOT NULL AND base IS NOT NULL;
-- Whether a state was ever shown: the lists by the event that they show.
CREATE INDEX crl_shown ON crl(ca, event) WHERE event IS NOT NULL;
-- What begins on hold changes no state, so event_state_change does not know of it.
CREATE INDEX event_issued_on_hold ON event(id) WHERE from_state IS NULL AND to_state = 1;

CREATE TRIGGER crl_base_insert BEFORE INSERT ON crl WHEN NEW.base IS NOT NULL BEGIN
	SELECT RAISE(ABORT, 'crl: number is not the next one, or comes finished');
END;
CREATE TRIGGER crl_base_update BEFORE UPDATE ON crl WHEN NEW.base IS NOT NULL BEGIN
	SELECT RAISE(ABORT, 'crl: the base of a delta is not the newest complete list')
	WHERE NEW.base IS NOT (SELECT number FROM crl INDEXED BY crl_complete
	    WHERE ca = NEW.ca AND event IS NOT NULL AND base IS NULL ORDER BY number DESC LIMIT 1);
END;

-- Shards of a CA. The URI stands in certificates, byte for byte as in the shard's lists (RFC 5280
-- 5.2.5), so it is kept from the first use on, whatever the configuration says later.
CREATE TABLE crl_shard (
	ca INTEGER NOT NULL REFERENCES ca(id),
	number INTEGER NOT NULL CHECK (number >= 0),
	uri TEXT NOT NULL CHECK (length(CAST(uri AS BLOB)) BETWEEN 1 AND 511),
	changed_event INTEGER NOT NULL, -- newest event that its next list must show
	-- Derived from its newest finished list, 0 = there is none: its event and thisUpdate.
	shown_event INTEGER NOT NULL DEFAULT 0,
	made INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (ca, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX crl_shard_uri ON crl_shard(uri);
-- Which list is due: of the changed ones, and of all.
CREATE INDEX crl_shard_changed ON crl_shard(ca, made) WHERE changed_event > shown_event;
CREATE INDEX crl_shard_made ON crl_shard(ca, made);

-- Their lists: as crl, with a sequence of numbers for each shard.
CREATE TABLE crl_shard_list (
	ca INTEGER NOT NULL,
	shard INTEGER NOT NULL,
	number INTEGER NOT NULL CHECK (number > 0),
	taken INTEGER NOT NULL,
	event INTEGER REFERENCES event(id),
	this_update INTEGER,
	next_update INTEGER,
	entries INTEGER CHECK (entries >= 0),
	size INTEGER CHECK (size >= 0),
	sha256 BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
	PRIMARY KEY (ca, shard, number),
	FOREIGN KEY (ca, shard) REFERENCES crl_shard(ca, number),
	CHECK ((event IS NULL) = (this_update IS NULL) AND (event IS NULL) = (next_update IS NULL)
	    AND (event IS NULL) = (entries IS NULL) AND (event IS NULL) = (size IS NULL)
	    AND (event IS NULL) = (sha256 IS NULL)),
	CHECK (next_update > this_update)
) STRICT, WITHOUT ROWID;
CREATE INDEX crl_shard_finished ON crl_shard_list(ca, shard, number) WHERE event IS NOT NULL;

-- The shard whose URI stands in the certificate; NULL = none does. Never computed again.
ALTER TABLE certificate ADD COLUMN shard INTEGER;
-- What a shard lists, in its order.
CREATE INDEX certificate_shard ON certificate(shard, id) WHERE state <> 0 AND shard IS NOT NULL;

-- The number of the row was not known when the certificate was signed: a few rows on their way may
-- fall behind the end of their shard, none before its beginning.
CREATE TRIGGER certificate_shard_insert BEFORE INSERT ON certificate
WHEN NEW.shard IS NOT NULL BEGIN
	SELECT RAISE(ABORT, 'certificate: its shard is not recorded')
	WHERE NOT EXISTS (SELECT 1 FROM crl_shard s WHERE s.ca = NEW.ca AND s.number = NEW.shard);
	SELECT RAISE(ABORT, 'certificate: its shard is not the one of its number')
	WHERE NEW.id / 12000 - NEW.shard NOT IN (0, 1);
END;
CREATE TRIGGER certificate_shard_fixed BEFORE UPDATE ON certificate
WHEN NEW.shard IS NOT OLD.shard BEGIN
	SELECT RAISE(ABORT, 'certificate: what was issued is never changed');
END;
CREATE TRIGGER certificate_shard_listed AFTER INSERT ON certificate
WHEN NEW.shard IS NOT NULL AND NEW.state <> 0 BEGIN
	UPDATE crl_shard SET changed_event = NEW.event
	WHERE ca = NEW.ca AND number = NEW.shard AND changed_event <> NEW.event;
END;
CREATE TRIGGER certificate_shard_changed AFTER UPDATE OF state ON certificate
WHEN NEW.shard IS NOT NULL BEGIN
	UPDATE crl_shard SET changed_event = NEW.event WHERE ca = NEW.ca AND number = NEW.shard;
END;

-- Shards: what may come in; the URI stays; changed_event follows the events.
CREATE TRIGGER crl_shard_insert BEFORE INSERT ON crl_shard BEGIN
	SELECT RAISE(ABORT, 'crl shard: is never changed')
	WHERE EXISTS (SELECT 1 FROM crl_shard
	    WHERE (ca = NEW.ca AND number = NEW.number) OR uri = NEW.uri);
	SELECT RAISE(ABORT, 'crl shard: its CA is not recorded')
	WHERE NOT EXISTS (SELECT 1 FROM ca WHERE id = NEW.ca);
	SELECT RAISE(ABORT, 'crl shard: begins changed and without a list')
	WHERE NEW.shown_event <> 0 OR NEW.made <> 0
	   OR NEW.changed_event IS NOT (SELECT max(id) FROM event);
	SELECT RAISE(ABORT, 'crl shard: another CA has its name')
	FROM ca WHERE id = NEW.ca
	  AND EXISTS (SELECT 1 FROM ca o WHERE o.name = ca.name || '-' || NEW.number);
END;
CREATE TRIGGER crl_shard_update BEFORE UPDATE ON crl_shard BEGIN
	SELECT RAISE(ABORT, 'crl shard: is never changed')
	WHERE NEW.ca <> OLD.ca OR NEW.number <> OLD.number OR NEW.uri <> OLD.uri;
	SELECT RAISE(ABORT, 'crl shard: changed_event is no later event of its CA')
	WHERE NEW.changed_event <> OLD.changed_event AND (NEW.changed_event < OLD.changed_event
	    OR NOT EXISTS (SELECT 1 FROM event WHERE id = NEW.changed_event AND ca = NEW.ca));
	SELECT RAISE(ABORT, 'crl shard: its newest list is another one')
	WHERE (NEW.shown_event <> OLD.shown_event OR NEW.made <> OLD.made)
	  AND NOT EXISTS (SELECT 1 FROM (SELECT event, this_update
	      FROM crl_shard_list INDEXED BY crl_shard_finished
	      WHERE ca = NEW.ca AND shard = NEW.number AND event IS NOT NULL
	      ORDER BY number DESC LIMIT 1)
	    WHERE event = NEW.shown_event AND this_update = NEW.made);
END;
CREATE TRIGGER crl_shard_delete BEFORE DELETE ON crl_shard BEGIN
	SELECT RAISE(ABORT, 'crl shard: is never deleted');
END;

-- Their numbers: the rules of crl (001).
CREATE TRIGGER crl_shard_list_insert BEFORE INSERT ON crl_shard_list BEGIN
	SELECT RAISE(ABORT, 'crl: number is not the next one, or comes finished')
	WHERE NEW.event IS NOT NULL OR NEW.number <> 1 + coalesce((SELECT max(number)
	    FROM crl_shard_list WHERE ca = NEW.ca AND shard = NEW.shard), 0);
	SELECT RAISE(ABORT, 'crl: its shard is not recorded')
	WHERE NOT EXISTS (SELECT 1 FROM crl_shard WHERE ca = NEW.ca AND number = NEW.shard);
END;
CREATE TRIGGER crl_shard_list_update BEFORE UPDATE ON crl_shard_list BEGIN
	SELECT RAISE(ABORT, 'crl: a finished list is never changed')
	WHERE OLD.event IS NOT NULL OR NEW.ca <> OLD.ca OR NEW.shard <> OLD.shard
	   OR NEW.number <> OLD.number OR NEW.taken <> OLD.taken OR NEW.event IS NULL;
	SELECT RAISE(ABORT, 'crl: is older than a finished one')
	FROM (SELECT number, event, this_update FROM crl_shard_list INDEXED BY crl_shard_finished
	    WHERE ca = NEW.ca AND shard = NEW.shard AND event IS NOT NULL
	    ORDER BY number DESC LIMIT 1) c
	WHERE c.number > NEW.number OR c.event > NEW.event
	   OR (c.this_update > NEW.this_update AND NOT EXISTS (SELECT 1 FROM event e
	      WHERE e.action = 'clock-accept' AND e.id > c.event));
	SELECT RAISE(ABORT, 'crl: has no event of its own')
	WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.id = (SELECT max(id) FROM event)
	    AND e.action = 'crl' AND e.ca = NEW.ca AND e.id > NEW.event)
	   OR NOT EXISTS (SELECT 1 FROM event WHERE id = NEW.event);
END;
CREATE TRIGGER crl_shard_list_shown AFTER UPDATE ON crl_shard_list BEGIN
	UPDATE crl_shard SET shown_event = NEW.event, made = NEW.this_update
	WHERE ca = NEW.ca AND number = NEW.shard;
END;
CREATE TRIGGER crl_shard_list_delete BEFORE DELETE ON crl_shard_list BEGIN
	SELECT RAISE(ABORT, 'crl: a number is never deleted');
END;

-- Lists are published as NAME.crl, NAME-delta.crl and NAME-NUMBER.crl: no two CAs may mean one.
CREATE TRIGGER ca_name BEFORE INSERT ON ca BEGIN
	SELECT RAISE(ABORT, 'ca: its name is that of a list of another CA')
	FROM (SELECT NEW.name AS long, name AS short FROM ca
	    UNION ALL SELECT name, NEW.name FROM ca)
	WHERE long = short || '-delta'
	   OR (substr(long, 1, length(short) + 1) = short || '-' AND length(long) > length(short) + 1
	    AND substr(long, length(short) + 2) NOT GLOB '*[^0-9]*');
END;
