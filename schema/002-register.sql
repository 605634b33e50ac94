-- The register: meters that may enrol and how each proves itself, imports, refusals of outsiders,
-- keys that sign access tokens. The rules stand here a second time, after C, as in 001-first.sql.

INSERT INTO setting VALUES ('refusals_per_minute', 1000);
INSERT INTO event_action VALUES ('device'), ('device-approve'), ('device-hold'),
	('device-release'), ('device-retire'), ('device-secret'), ('import'), ('rekey'),
	('access-key');

-- deferred: the event stands before the device's row
ALTER TABLE event ADD COLUMN device INTEGER
	REFERENCES device(id) DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX event_device ON event(device) WHERE device IS NOT NULL;

-- Files of devices. Rows come in many transactions; all are visible from the moment that finished
-- is set, and none ever is once dropped is. A visible device has no import or a finished one.
CREATE TABLE device_import (
	id INTEGER PRIMARY KEY CHECK (id > 0),
	name TEXT NOT NULL CHECK (length(name) < 256), -- for people
	started INTEGER NOT NULL,
	actor INTEGER NOT NULL,
	finished INTEGER REFERENCES event(id),         -- its "import" event
	dropped INTEGER NOT NULL DEFAULT 0 CHECK (dropped IN (0, 1)),
	-- derived, kept by triggers: rows it has now, and where they begin
	devices INTEGER NOT NULL DEFAULT 0,
	first_device INTEGER,
	CHECK (finished IS NULL OR dropped = 0)
) STRICT;
CREATE INDEX device_import_name ON device_import(name) WHERE 0; -- see event_detail in 001

-- Lengths are octets, and those of a text as far as its end: C reads them into fixed fields.
CREATE TABLE device (
	id INTEGER PRIMARY KEY CHECK (id > 0),
	eui BLOB NOT NULL CHECK (length(eui) = 8),
	hw_type TEXT NOT NULL CHECK (length(CAST(hw_type AS BLOB)) BETWEEN 1 AND 127),
	manufacturer TEXT NOT NULL DEFAULT '' CHECK (length(CAST(manufacturer AS BLOB)) < 64),
	model TEXT NOT NULL DEFAULT '' CHECK (length(CAST(model AS BLOB)) < 65),
	region TEXT NOT NULL DEFAULT '' CHECK (length(CAST(region AS BLOB)) < 64),
	-- 1 manufacturer's certificate, 2 secret, 4 key; 0 = enrols only through operators
	proofs INTEGER NOT NULL CHECK (proofs BETWEEN 0 AND 7),
	end_to_end INTEGER NOT NULL CHECK (end_to_end IN (0, 1)), -- what smkid checks itself
	approved INTEGER NOT NULL CHECK (approved IN (0, 1)),
	state INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2), -- active, on hold, retired
	secret BLOB CHECK (secret IS NULL OR length(secret) = 32),   -- HMAC of the one-time secret
	secret_key BLOB CHECK (secret_key IS NULL OR length(secret_key) = 32), -- bound to this key
	key BLOB CHECK (key IS NULL OR length(key) = 32), -- SHA-256 of a SubjectPublicKeyInfo
	registered INTEGER NOT NULL,
	import INTEGER REFERENCES device_import(id),
	event INTEGER REFERENCES event(id), -- that made it what it is; NULL: its import's
	CHECK ((proofs & 2 <> 0) = (secret IS NOT NULL)),
	CHECK ((proofs & 4 <> 0) = (key IS NOT NULL)),
	CHECK (secret_key IS NULL OR secret IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX device_eui ON device(eui);
-- Active and approved devices pay for neither.
CREATE INDEX device_state ON device(state) WHERE state <> 0;
CREATE INDEX device_unapproved ON device(approved) WHERE approved = 0;
CREATE INDEX device_octets ON device(hw_type, manufacturer, model, region, secret, secret_key, key)
	WHERE 0; -- see event_detail in 001

-- The life cycle in the register. A pair that does not stand here is refused.
CREATE TABLE device_transition (
	from_state INTEGER NOT NULL,
	to_state INTEGER NOT NULL,
	action TEXT NOT NULL,
	PRIMARY KEY (from_state, to_state)
) STRICT, WITHOUT ROWID;
INSERT INTO device_transition VALUES (0, 1, 'device-hold'), (1, 0, 'device-release'),
	(0, 2, 'device-retire'), (1, 2, 'device-retire');

-- Refusals of outsiders, counted by who, why and minute (Unix time / 60); as many rows a minute as
-- the setting says. Rows are pruned by age.
CREATE TABLE refusal (
	minute INTEGER NOT NULL,
	who TEXT NOT NULL CHECK (length(CAST(who AS BLOB)) < 64),
	reason TEXT NOT NULL CHECK (length(CAST(reason AS BLOB)) BETWEEN 1 AND 31),
	n INTEGER NOT NULL CHECK (n > 0),
	PRIMARY KEY (minute, who, reason)
) STRICT, WITHOUT ROWID;
CREATE INDEX refusal_who ON refusal(who, minute);
-- Derived, kept by triggers, so that nobody counts the rows of a minute.
CREATE TABLE refusal_minute (
	minute INTEGER PRIMARY KEY,
	refusals INTEGER NOT NULL, -- rows
	n INTEGER NOT NULL
) STRICT;

-- Public halves of the keys that sign access tokens (P-256). Each signs from active_from on, until
-- the next one does.
CREATE TABLE access_key (
	id INTEGER PRIMARY KEY CHECK (id > 0),
	label TEXT NOT NULL UNIQUE CHECK (length(CAST(label AS BLOB)) BETWEEN 1 AND 32),
	kid TEXT NOT NULL UNIQUE CHECK (length(CAST(kid AS BLOB)) = 43),
	point BLOB NOT NULL CHECK (length(point) = 65 AND substr(point, 1, 1) = X'04'),
	made INTEGER NOT NULL,
	active_from INTEGER NOT NULL,
	event INTEGER NOT NULL REFERENCES event(id)
) STRICT;
CREATE INDEX access_key_point ON access_key(point) WHERE 0; -- see event_detail in 001

-- What has certificates already is registered: active and approved, to enrol through operators.
-- Its event is that of its holder.
INSERT OR IGNORE INTO device (eui, hw_type, proofs, end_to_end, approved, registered, event)
	SELECT h.name, h.hw_type, 0, 0, 1, e.time, e.id
	FROM event e CROSS JOIN holder h ON h.id = e.holder
	WHERE e.action = 'holder' AND h.kind = 1 ORDER BY e.id;
INSERT INTO device (eui, hw_type, proofs, end_to_end, approved, registered)
	SELECT h.name, h.hw_type, 0, 0, 1, 0 FROM holder h
	WHERE h.kind = 1 AND NOT EXISTS (SELECT 1 FROM device d WHERE d.eui = h.name);

-- What comes over the front issues to devices, and nothing else.
CREATE TRIGGER event_front BEFORE INSERT ON event WHEN NEW.actor < -1 BEGIN
	SELECT RAISE(ABORT, 'event: its actor is nobody') WHERE NEW.actor < -2;
	SELECT RAISE(ABORT, 'event: the front only enrols')
	WHERE NEW.action NOT IN ('issue', 'holder', 'rekey');
END;
CREATE TRIGGER event_device_insert BEFORE INSERT ON event
WHEN NEW.device IS NOT NULL OR NEW.action = 'rekey'
  OR (NEW.action >= 'device' AND NEW.action < 'devicf') BEGIN
	SELECT RAISE(ABORT, 'event: its device is not registered')
	WHERE NOT EXISTS (SELECT 1 FROM device d WHERE d.id = NEW.device AND (d.import IS NULL
	    OR EXISTS (SELECT 1 FROM device_import i
	      WHERE i.id = d.import AND i.finished IS NOT NULL)))
	  -- the next one, about to come
	  AND NOT (NEW.action = 'device'
	    AND NEW.device IS 1 + coalesce((SELECT max(id) FROM device), 0));
	SELECT RAISE(ABORT, 'event: does not begin at the state its device has')
	WHERE EXISTS (SELECT 1 FROM device_transition WHERE action = NEW.action)
	  AND NOT EXISTS (SELECT 1 FROM device d
	    JOIN device_transition t ON t.from_state = d.state AND t.action = NEW.action
	    WHERE d.id = NEW.device);
	SELECT RAISE(ABORT, 'event: does not begin at the state its device has')
	FROM device d WHERE d.id = NEW.device
	  AND (((NEW.action = 'device' OR NEW.action = 'device-approve'
	      OR NEW.action = 'device-secret') AND d.state = 2)
	    OR (NEW.action = 'device-approve' AND d.approved = 1));
END;

-- Devices: what may come in. SQLite knows the number that it chose itself only afterwards.
CREATE TRIGGER device_insert BEFORE INSERT ON device BEGIN
	SELECT RAISE(ABORT, 'device: is registered already')
	WHERE EXISTS (SELECT 1 FROM device WHERE id = NEW.id)
	   OR EXISTS (SELECT 1 FROM device WHERE eui = NEW.eui);
	SELECT RAISE(ABORT, 'device: begins active, its secret unused')
	WHERE NEW.state <> 0 OR NEW.secret_key IS NOT NULL;
	SELECT RAISE(ABORT, 'device: its import is none that goes on')
	WHERE NEW.import IS NOT NULL AND (NEW.event IS NOT NULL OR NOT EXISTS (
	    SELECT 1 FROM device_import i WHERE i.id = NEW.import AND i.finished IS NULL
	      AND i.dropped = 0));
	SELECT RAISE(ABORT, 'device: has no event of its own')
	WHERE NEW.import IS NULL AND NOT EXISTS (SELECT 1 FROM event e
	    WHERE e.id = NEW.event AND e.id = (SELECT max(id) FROM event)
	      AND e.action = 'device' AND e.device = NEW.id AND e.time = NEW.registered);
END;
CREATE TRIGGER device_number AFTER INSERT ON device BEGIN
	SELECT RAISE(ABORT, 'device: number is not the next one')
	WHERE NEW.id <> 1 + coalesce(
	    (SELECT id FROM device WHERE id <> NEW.id ORDER BY id DESC LIMIT 1), 0);
	UPDATE device_import SET
	    first_device = CASE devices WHEN 0 THEN NEW.id ELSE first_device END,
	    devices = devices + 1 WHERE id = NEW.import;
END;

-- Devices: who one is never changes; all else changes one thing at a time, each with the event
-- that was written just before it. Only binding the secret to a key has none: the issue event of
-- the same transaction tells of that.
CREATE TRIGGER device_fixed BEFORE UPDATE ON device BEGIN
	SELECT RAISE(ABORT, 'device: identity is never changed')
	WHERE NEW.id <> OLD.id OR NEW.eui <> OLD.eui OR NEW.hw_type <> OLD.hw_type
	   OR NEW.registered <> OLD.registered OR NEW.import IS NOT OLD.import;
	SELECT RAISE(ABORT, 'device: is not registered')
	WHERE OLD.import IS NOT NULL AND NOT EXISTS (SELECT 1 FROM device_import i
	    WHERE i.id = OLD.import AND i.finished IS NOT NULL);
	SELECT RAISE(ABORT, 'device: is retired') WHERE OLD.state = 2;
	SELECT RAISE(ABORT, 'device: an approval is never taken back')
	WHERE NEW.approved < OLD.approved;
	SELECT RAISE(ABORT, 'device: this state change is not in the transition table')
	WHERE NEW.state <> OLD.state AND NOT EXISTS (SELECT 1 FROM device_transition t
	    WHERE t.from_state = OLD.state AND t.to_state = NEW.state);
	SELECT RAISE(ABORT, 'device: its secret is bound to another key')
	WHERE OLD.secret_key IS NOT NULL AND NEW.secret_key IS NOT OLD.secret_key
	  AND (NEW.secret_key IS NOT NULL OR NEW.secret IS OLD.secret);
	SELECT RAISE(ABORT, 'device: a secret is set new and unused')
	WHERE NEW.secret IS NOT OLD.secret
	  AND (NEW.secret IS NULL OR NEW.secret_key IS NOT NULL);
	SELECT RAISE(ABORT, 'device: changes one thing at a time')
	WHERE (NEW.state <> OLD.state) + (NEW.approved <> OLD.approved)
	  + (NEW.secret IS NOT OLD.secret)
	  + (NEW.secret_key IS NOT OLD.secret_key AND NEW.secret_key IS NOT NULL)
	  + (NEW.manufacturer <> OLD.manufacturer OR NEW.model <> OLD.model
	    OR NEW.region <> OLD.region OR NEW.proofs & 5 <> OLD.proofs & 5
	    OR NEW.end_to_end <> OLD.end_to_end OR NEW.key IS NOT OLD.key) <> 1;
	SELECT RAISE(ABORT, 'device: the change has no event of its own')
	WHERE NOT EXISTS (SELECT 1 FROM event e
	    WHERE e.id = NEW.event AND e.id = (SELECT max(id) FROM event)
	      AND e.id > coalesce(OLD.event, 0) AND e.device = NEW.id
	      AND e.action = CASE
	        WHEN NEW.state <> OLD.state THEN (SELECT action FROM device_transition t
	          WHERE t.from_state = OLD.state AND t.to_state = NEW.state)
	        WHEN NEW.approved <> OLD.approved THEN 'device-approve'
	        WHEN NEW.secret IS NOT OLD.secret THEN 'device-secret'
	        ELSE 'device' END)
	  AND NOT (NEW.secret_key IS NOT OLD.secret_key AND NEW.secret IS OLD.secret
	    AND NEW.event IS OLD.event);
	SELECT RAISE(ABORT, 'device: is on hold in the register')
	WHERE OLD.state = 1 AND NEW.secret_key IS NOT OLD.secret_key
	  AND NEW.secret_key IS NOT NULL;
END;
CREATE TRIGGER device_delete BEFORE DELETE ON device BEGIN
	SELECT RAISE(ABORT, 'device: is never deleted')
	WHERE NOT EXISTS (SELECT 1 FROM device_import i
	    WHERE i.id = OLD.import AND i.dropped = 1);
END;
CREATE TRIGGER device_dropped AFTER DELETE ON device BEGIN
	UPDATE device_import SET devices = devices - 1 WHERE id = OLD.import;
END;
CREATE TRIGGER device_transition_insert BEFORE INSERT ON device_transition BEGIN
	SELECT RAISE(ABORT, 'device_transition: the life cycle is fixed');
END;
CREATE TRIGGER device_transition_update BEFORE UPDATE ON device_transition BEGIN
	SELECT RAISE(ABORT, 'device_transition: the life cycle is fixed');
END;
CREATE TRIGGER device_transition_delete BEFORE DELETE ON device_transition BEGIN
	SELECT RAISE(ABORT, 'device_transition: the life cycle is fixed');
END;

-- Imports: begun, then finished with their event or dropped, both for ever.
CREATE TRIGGER device_import_insert BEFORE INSERT ON device_import BEGIN
	SELECT RAISE(ABORT, 'import: what was begun is never changed')
	WHERE EXISTS (SELECT 1 FROM device_import WHERE id = NEW.id);
	SELECT RAISE(ABORT, 'import: begins empty')
	WHERE NEW.finished IS NOT NULL OR NEW.dropped <> 0 OR NEW.devices <> 0
	   OR NEW.first_device IS NOT NULL;
END;
-- WHEN, so that counting costs nothing; not UPDATE OF, which does not see a column's other names.
CREATE TRIGGER device_import_update BEFORE UPDATE ON device_import
WHEN OLD.finished IS NOT NULL OR NEW.finished IS NOT NULL OR NEW.dropped <> OLD.dropped
  OR NEW.id <> OLD.id OR NEW.name <> OLD.name OR NEW.started <> OLD.started
  OR NEW.actor <> OLD.actor BEGIN
	SELECT RAISE(ABORT, 'import: what was begun is never changed')
	WHERE NEW.id <> OLD.id OR NEW.name <> OLD.name OR NEW.started <> OLD.started
	   OR NEW.actor <> OLD.actor;
	SELECT RAISE(ABORT, 'import: a finished or dropped one is never changed')
	WHERE OLD.finished IS NOT NULL OR OLD.dropped <> 0;
	SELECT RAISE(ABORT, 'import: is finished or dropped, not both')
	WHERE NEW.finished IS NOT NULL AND NEW.dropped <> 0;
	SELECT RAISE(ABORT, 'import: has no event of its own')
	WHERE NEW.finished IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM event e
	      WHERE e.id = NEW.finished AND e.id = (SELECT max(id) FROM event)
	        AND e.action = 'import')
	    OR EXISTS (SELECT 1 FROM device_import i WHERE i.finished = NEW.finished));
END;
CREATE TRIGGER device_import_delete BEFORE DELETE ON device_import BEGIN
	SELECT RAISE(ABORT, 'import: is never deleted');
END;

-- A device gets a certificate only while it is registered and active; one that came by itself,
-- over the front, only when it is approved and has a proof, and only a device comes by itself.
CREATE TRIGGER certificate_device BEFORE INSERT ON certificate BEGIN
	SELECT CASE
	    WHEN d.id IS NULL OR (d.import IS NOT NULL AND NOT EXISTS (
	      SELECT 1 FROM device_import i WHERE i.id = d.import AND i.finished IS NOT NULL))
	      THEN RAISE(ABORT, 'device: is not registered')
	    WHEN d.hw_type <> h.hw_type
	      THEN RAISE(ABORT, 'device: is registered with another hwType')
	    WHEN d.state = 1 THEN RAISE(ABORT, 'device: is on hold in the register')
	    WHEN d.state <> 0 THEN RAISE(ABORT, 'device: is retired')
	    WHEN d.approved = 1 AND d.proofs <> 0 THEN NULL
	    WHEN (SELECT actor FROM event WHERE id = NEW.event) <> -2 THEN NULL
	    WHEN d.approved = 0 THEN RAISE(ABORT, 'device: is not approved')
	    ELSE RAISE(ABORT, 'device: enrols only through operators') END
	FROM holder h LEFT JOIN device d ON d.eui = h.name
	WHERE h.id = NEW.holder AND h.kind = 1;
	SELECT RAISE(ABORT, 'certificate: only devices enrol by themselves')
	FROM event e WHERE e.id = NEW.event AND e.actor = -2
	  AND (NEW.use NOT IN (1, 2) OR NOT EXISTS (
	    SELECT 1 FROM holder h WHERE h.id = NEW.holder AND h.kind = 1));
END;

-- Refusals: rows of a minute up to the limit, counts upwards only.
CREATE TRIGGER refusal_insert BEFORE INSERT ON refusal BEGIN
	SELECT RAISE(ABORT, 'refusal: is counted already')
	WHERE EXISTS (SELECT 1 FROM refusal
	    WHERE minute = NEW.minute AND who = NEW.who AND reason = NEW.reason);
	SELECT RAISE(ABORT, 'refusal: its minute has all the rows it may have')
	WHERE (SELECT refusals FROM refusal_minute WHERE minute = NEW.minute)
	    >= coalesce((SELECT value FROM setting WHERE name = 'refusals_per_minute'), 0);
END;
-- No OR IGNORE in here: the choice of the statement outside would stand in its place.
CREATE TRIGGER refusal_counted AFTER INSERT ON refusal BEGIN
	INSERT INTO refusal_minute SELECT NEW.minute, 0, 0
	WHERE NOT EXISTS (SELECT 1 FROM refusal_minute WHERE minute = NEW.minute);
	UPDATE refusal_minute SET refusals = refusals + 1, n = n + NEW.n
	WHERE minute = NEW.minute;
END;
CREATE TRIGGER refusal_update BEFORE UPDATE ON refusal BEGIN
	SELECT RAISE(ABORT, 'refusal: only its count grows')
	WHERE NEW.minute <> OLD.minute OR NEW.who <> OLD.who OR NEW.reason <> OLD.reason
	   OR NEW.n < OLD.n;
END;
CREATE TRIGGER refusal_grown AFTER UPDATE ON refusal BEGIN
	UPDATE refusal_minute SET n = n + NEW.n - OLD.n WHERE minute = NEW.minute;
END;
CREATE TRIGGER refusal_pruned AFTER DELETE ON refusal BEGIN
	UPDATE refusal_minute SET refusals = refusals - 1, n = n - OLD.n
	WHERE minute = OLD.minute;
	DELETE FROM refusal_minute WHERE minute = OLD.minute AND refusals <= 0
	  AND NOT EXISTS (SELECT 1 FROM refusal WHERE minute = OLD.minute);
END;
CREATE TRIGGER refusal_minute_insert BEFORE INSERT ON refusal_minute BEGIN
	SELECT RAISE(ABORT, 'refusal: its minute is counted already')
	WHERE EXISTS (SELECT 1 FROM refusal_minute WHERE minute = NEW.minute);
END;
CREATE TRIGGER refusal_minute_update BEFORE UPDATE ON refusal_minute BEGIN
	SELECT RAISE(ABORT, 'refusal: its minute is never changed')
	WHERE NEW.minute <> OLD.minute;
END;
CREATE TRIGGER refusal_minute_delete BEFORE DELETE ON refusal_minute BEGIN
	SELECT RAISE(ABORT, 'refusal: its minute has rows')
	WHERE EXISTS (SELECT 1 FROM refusal WHERE minute = OLD.minute);
END;

-- Access keys come one by one, each with its event, and stay what they are.
CREATE TRIGGER access_key_insert BEFORE INSERT ON access_key BEGIN
	SELECT RAISE(ABORT, 'access key: its label or kid is taken')
	WHERE EXISTS (SELECT 1 FROM access_key
	    WHERE id = NEW.id OR label = NEW.label OR kid = NEW.kid);
	SELECT RAISE(ABORT, 'access key: has no event of its own')
	WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.id = NEW.event
	    AND e.id = (SELECT max(id) FROM event) AND e.action = 'access-key'
	    AND e.time = NEW.made);
END;
CREATE TRIGGER access_key_number AFTER INSERT ON access_key BEGIN
	SELECT RAISE(ABORT, 'access key: number is not the next one')
	WHERE NEW.id <> 1 + coalesce(
	    (SELECT id FROM access_key WHERE id <> NEW.id ORDER BY id DESC LIMIT 1), 0);
END;
CREATE TRIGGER access_key_update BEFORE UPDATE ON access_key BEGIN
	SELECT RAISE(ABORT, 'access key: is never changed');
END;
CREATE TRIGGER access_key_delete BEFORE DELETE ON access_key BEGIN
	SELECT RAISE(ABORT, 'access key: is never deleted');
END;
