-- What random pages a change of state and a new certificate write.
--
-- A certificate's row is what was issued and never changes any more: what it is now, its newest
-- event tells. A change of state is one row, that event, which is appended, and one entry in an
-- index that holds only what ever changed; the row's page, one among all that were ever issued, is
-- not written. An event of a change that changed nothing can no longer be.

-- From here on the newest event decides. Before, the row did: they must say the same.
CREATE TABLE state_check (
	n INTEGER CONSTRAINT "certificate: its state is not that of its newest event" CHECK (n = 0)
) STRICT;
INSERT INTO state_check SELECT count(*) FROM certificate c LEFT JOIN event e ON e.id = c.event
	WHERE e.certificate IS NOT c.id OR e.to_state IS NOT c.state OR e.reason IS NOT c.reason
	   OR e.time IS NOT c.changed OR e.invalid_since IS NOT c.invalid_since
	   OR EXISTS (SELECT 1 FROM event n INDEXED BY event_certificate
	    WHERE n.certificate = c.id AND n.from_state IS NOT NULL AND n.id > c.event);
DROP TABLE state_check;

DROP TRIGGER certificate_fixed;
DROP TRIGGER certificate_insert;
DROP TRIGGER certificate_tally_insert;
DROP TRIGGER certificate_tally_update;
DROP TRIGGER certificate_shard_fixed;
DROP TRIGGER certificate_shard_changed;
DROP TRIGGER responder_insert;
DROP TRIGGER responder_update;
DROP INDEX certificate_listed;
DROP INDEX certificate_state;
DROP INDEX certificate_shard;

-- The rows as they were issued.
UPDATE certificate SET (state, reason, changed, invalid_since, event) =
	(SELECT to_state, reason, time, NULL, id FROM event INDEXED BY event_certificate
	  WHERE certificate = certificate.id AND action = 'issue' ORDER BY id DESC LIMIT 1)
	WHERE id IN (SELECT certificate FROM event INDEXED BY event_state_change
	  WHERE from_state IS NOT NULL);

-- event without its foreign keys to certificate and holder: the first wanted an index over all
-- events of certificates, since the issue event stands before the row; the second read a page of
-- holders for each event. event_order has these rules.
CREATE TABLE event_new (
	id INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,          -- seconds since 1970; never before the event before it
	actor INTEGER NOT NULL,         -- uid of the peer, -1 = the service itself, -2 = the front
	action TEXT NOT NULL REFERENCES event_action(name),
	ca INTEGER REFERENCES ca(id),
	certificate INTEGER,
	holder INTEGER,
	from_state INTEGER,             -- hold, reactivate, revoke
	to_state INTEGER,               -- the same and issue
	reason INTEGER,                 -- CRLReason of RFC 5280 5.3.1
	invalid_since INTEGER,
	detail TEXT NOT NULL DEFAULT '' CHECK (length(detail) < 256), -- free text
	-- deferred: the event stands before the device's row
	device INTEGER REFERENCES device(id) DEFERRABLE INITIALLY DEFERRED,
	CHECK ((from_state IS NOT NULL)
	    = (action = 'hold' OR action = 'reactivate' OR action = 'revoke')),
	CHECK ((to_state IS NOT NULL)
	    = (action = 'issue' OR action = 'hold' OR action = 'reactivate' OR action = 'revoke')),
	CHECK (to_state IS NULL OR (certificate IS NOT NULL AND ca IS NOT NULL)),
	CHECK (CASE to_state
	    WHEN 0 THEN reason IS NULL
	    WHEN 1 THEN reason IS 6
	    WHEN 2 THEN coalesce(reason BETWEEN 0 AND 5 OR reason = 9 OR reason = 10, 0)
	    ELSE to_state IS NULL END),
	CHECK (to_state IS NULL OR invalid_since IS NULL
	    OR (to_state = 2 AND invalid_since BETWEEN 1 AND time))
) STRICT;
INSERT INTO event_new (id, time, actor, action, ca, certificate, holder, from_state, to_state,
	  reason, invalid_since, detail, device)
	SELECT id, time, actor, action, ca, certificate, holder, from_state, to_state,
	  reason, invalid_since, detail, device FROM event ORDER BY id;
DROP TABLE event;

-- A device's holder is found by the device's number, which a device has from its EUI-64: an index
-- over the EUI-64s of both would be a random page more for each device.
CREATE TABLE holder_new (
	id INTEGER PRIMARY KEY CHECK (id > 0),
	kind INTEGER NOT NULL CHECK (kind > 0),          -- enum holder_kind: 1 device, 2 organisation
	name BLOB NOT NULL CHECK (length(name) BETWEEN 1 AND 128), -- EUI-64 octets, or a label
	hw_type TEXT NOT NULL DEFAULT '',                -- devices: hwType, dotted
	device INTEGER REFERENCES device(id),            -- devices: their place in the register
	CHECK (kind NOT IN (1, 2) OR length(name) = 8),
	CHECK ((kind = 1) = (hw_type <> '')),
	CHECK ((kind = 1) = (device IS NOT NULL))
) STRICT;
INSERT INTO holder_new (id, kind, name, hw_type, device)
	SELECT h.id, h.kind, h.name, h.hw_type, d.id
	FROM holder h LEFT JOIN device d ON h.kind = 1 AND d.eui = h.name ORDER BY h.id;
DROP TABLE holder;

-- Else triggers that name these are an error while there is none.
PRAGMA legacy_alter_table = ON;
ALTER TABLE event_new RENAME TO event;
ALTER TABLE holder_new RENAME TO holder;
PRAGMA legacy_alter_table = OFF;
CREATE INDEX event_detail ON event(detail) WHERE 0; -- see 001
CREATE INDEX event_clock ON event(action) WHERE action = 'clock-accept';
CREATE INDEX event_device ON event(device) WHERE device IS NOT NULL;
CREATE INDEX event_state_change ON event(id) WHERE from_state IS NOT NULL;
CREATE INDEX event_issued_on_hold ON event(id) WHERE from_state IS NULL AND to_state = 1;
-- What happened to a certificate since it was issued: most have no entry here.
CREATE INDEX event_certificate ON event(certificate)
	WHERE certificate IS NOT NULL AND action <> 'issue';

CREATE UNIQUE INDEX holder_device ON holder(device) WHERE device IS NOT NULL;
CREATE UNIQUE INDEX holder_name ON holder(kind, name) WHERE kind <> 1;
CREATE INDEX holder_octets ON holder(name, hw_type) WHERE 0; -- see event_detail in 001

ALTER TABLE certificate RENAME COLUMN state TO issued_state;
ALTER TABLE certificate RENAME COLUMN reason TO issued_reason;
ALTER TABLE certificate RENAME COLUMN changed TO issued;
ALTER TABLE certificate RENAME COLUMN event TO issue_event;

-- Certificates as they are now.
CREATE VIEW certificate_now AS
SELECT c.id, c.ca, c.serial, c.profile, c.holder, c.use, c.key_hash, c.not_before, c.not_after,
	c.replaces, c.shard, c.issued, c.issue_event, coalesce(e.to_state, c.issued_state) AS state,
	CASE WHEN e.id IS NULL THEN c.issued_reason ELSE e.reason END AS reason,
	coalesce(e.time, c.issued) AS changed, e.invalid_since AS invalid_since,
	coalesce(e.id, c.issue_event) AS event
FROM certificate c LEFT JOIN event e ON e.id = (SELECT n.id
	FROM event n INDEXED BY event_certificate
	WHERE n.certificate = c.id AND n.action <> 'issue' AND n.from_state IS NOT NULL
	ORDER BY n.id DESC LIMIT 1);

-- What is not valid now, in the order of the events that made it so, with all that a CRL shows.
-- Derived: rows come and go with events, and none says what its certificate is not.
CREATE TABLE listed (
	ca INTEGER NOT NULL,
	event INTEGER NOT NULL,
	certificate INTEGER NOT NULL,
	serial BLOB NOT NULL,
	state INTEGER NOT NULL,
	reason INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	invalid_since INTEGER,
	shard INTEGER,
	PRIMARY KEY (ca, event)
) STRICT, WITHOUT ROWID;
INSERT INTO listed SELECT n.ca, n.event, n.id, n.serial, n.state, n.reason, n.changed,
	  n.invalid_since, n.shard
	FROM (SELECT certificate FROM event INDEXED BY event_state_change
	    WHERE from_state IS NOT NULL
	  UNION SELECT certificate FROM event INDEXED BY event_issued_on_hold
	    WHERE from_state IS NULL AND to_state = 1) AS moved
	CROSS JOIN certificate_now n ON n.id = moved.certificate
	WHERE n.state <> 0 ORDER BY n.ca, n.event;
CREATE INDEX listed_state ON listed(state, event);
-- What a shard lists, in its order.
CREATE INDEX listed_shard ON listed(shard, certificate) WHERE shard IS NOT NULL;

CREATE TRIGGER listed_insert BEFORE INSERT ON listed BEGIN
	SELECT RAISE(ABORT, 'listed: is not what its certificate is now')
	WHERE NOT EXISTS (SELECT 1 FROM certificate_now c WHERE c.id = NEW.certificate
	    AND c.ca = NEW.ca AND c.event = NEW.event AND c.serial = NEW.serial
	    AND c.state = NEW.state AND c.state <> 0 AND c.reason IS NEW.reason
	    AND c.changed = NEW.changed AND c.invalid_since IS NEW.invalid_since
	    AND c.shard IS NEW.shard);
END;
CREATE TRIGGER listed_update BEFORE UPDATE ON listed BEGIN
	SELECT RAISE(ABORT, 'listed: is never changed');
END;
CREATE TRIGGER listed_delete BEFORE DELETE ON listed BEGIN
	SELECT RAISE(ABORT, 'listed: its certificate is still what it says')
	WHERE EXISTS (SELECT 1 FROM certificate_now c
	    WHERE c.id = OLD.certificate AND c.event = OLD.event);
END;

-- Events: what may come in. Numbers are given: where SQLite is to choose one, NEW.id is -1 here,
-- and its choice would be known only afterwards.
CREATE TRIGGER event_order BEFORE INSERT ON event BEGIN
	-- time and the others are those of the newest event
	SELECT CASE
	    WHEN NEW.id BETWEEN 1 AND max(id)
	      THEN RAISE(ABORT, 'event: a recorded event is never changed')
	    WHEN NEW.id IS NOT 1 + coalesce(max(id), 0)
	      THEN RAISE(ABORT, 'event: number is not the next one')
	    WHEN NEW.time < time AND NEW.action <> 'clock-accept'
	      THEN RAISE(ABORT, 'event: time is before the event before it')
	    -- only of issuing: what was left behind by hand stops no revocation
	    WHEN action = 'issue' AND NEW.action = 'issue'
	      AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.id = event.certificate)
	      THEN RAISE(ABORT, 'event: the one before it issues what is not recorded') END
	FROM event;
	SELECT CASE
	    WHEN NEW.time NOT BETWEEN 0 AND 253402300799
	      THEN RAISE(ABORT, 'event: time is not one of the years 1970 to 9999')
	    WHEN NEW.actor < 0 AND NEW.action = 'clock-accept'
	      THEN RAISE(ABORT, 'event: the service does not accept its own clock')
	    -- What comes over the front issues to devices, and nothing else.
	    WHEN NEW.actor < -2 THEN RAISE(ABORT, 'event: its actor is nobody')
	    WHEN NEW.actor < -1
	      AND NEW.action <> 'issue' AND NEW.action <> 'holder' AND NEW.action <> 'rekey'
	      THEN RAISE(ABORT, 'event: the front only enrols') END;
	-- The row's own CHECKs, for whoever has them ignored: a state comes with these words only.
	SELECT RAISE(ABORT, 'event: states do not go with the action')
	WHERE (NEW.from_state IS NOT NULL)
	    <> (NEW.action = 'hold' OR NEW.action = 'reactivate' OR NEW.action = 'revoke')
	   OR (NEW.to_state IS NOT NULL) <> (NEW.action = 'issue' OR NEW.action = 'hold'
	    OR NEW.action = 'reactivate' OR NEW.action = 'revoke');
	-- The words below stand in event_action for ever.
	SELECT CASE
	    WHEN NEW.action = 'issue' THEN CASE
	      WHEN EXISTS (SELECT 1 FROM certificate WHERE id = NEW.certificate)
	        THEN RAISE(ABORT, 'event: its certificate is issued already')
	      -- whose row comes next, and cannot come without
	      WHEN NOT EXISTS (SELECT 1 FROM certificate_der WHERE certificate = NEW.certificate)
	        THEN RAISE(ABORT, 'certificate: is recorded without its bytes')
	      WHEN NEW.invalid_since IS NOT NULL OR (NEW.to_state = 0 AND NEW.reason IS NOT NULL)
	        OR (NEW.to_state = 1 AND NEW.reason IS NOT 6)
	        THEN RAISE(ABORT, 'event: reason or date do not go with the state') END
	    WHEN NEW.action = 'hold' OR NEW.action = 'reactivate' OR NEW.action = 'revoke' THEN CASE
	      WHEN NOT EXISTS (SELECT 1 FROM transition t WHERE t.from_state = NEW.from_state
	        AND t.to_state = NEW.to_state AND t.action = NEW.action)
	        THEN RAISE(ABORT, 'certificate: this state change is not in the transition table')
	      WHEN NOT EXISTS (SELECT 1 FROM certificate_now c WHERE c.id = NEW.certificate
	        AND c.ca = NEW.ca AND c.state = NEW.from_state
	        AND c.holder = coalesce(NEW.holder, c.holder))
	        THEN RAISE(ABORT, 'event: does not begin at the state its certificate has')
	      WHEN NOT CASE NEW.to_state
	        WHEN 0 THEN NEW.reason IS NULL
	        WHEN 1 THEN NEW.reason IS 6
	        ELSE coalesce(NEW.reason, -1) IN (0, 1, 2, 3, 4, 5, 9, 10) END
	        OR (NEW.invalid_since IS NOT NULL
	          AND (NEW.to_state <> 2 OR NEW.invalid_since NOT BETWEEN 1 AND NEW.time))
	        THEN RAISE(ABORT, 'event: reason or date do not go with the state') END
	    WHEN NOT EXISTS (SELECT 1 FROM event_action WHERE name = NEW.action)
	      THEN RAISE(ABORT, 'event: its action has no name here')
	    WHEN NEW.certificate IS NOT NULL
	      AND NOT EXISTS (SELECT 1 FROM certificate WHERE id = NEW.certificate)
	      THEN RAISE(ABORT, 'event: its certificate is not recorded')
	    WHEN NEW.holder IS NOT NULL AND NOT EXISTS (SELECT 1 FROM holder WHERE id = NEW.holder)
	      THEN RAISE(ABORT, 'event: its holder is not recorded') END;
	SELECT RAISE(ABORT, 'event: its device is not registered')
	WHERE (NEW.device IS NOT NULL
	    OR (NEW.action >= 'device' AND NEW.action < 'devicf') OR NEW.action = 'rekey')
	  -- the next one, about to come, is nowhere yet
	  AND NOT (NEW.action = 'device'
	    AND NEW.device IS 1 + coalesce((SELECT max(id) FROM device), 0))
	  AND (SELECT CASE
	      WHEN d.import IS NOT NULL AND NOT EXISTS (SELECT 1 FROM device_import i
	          WHERE i.id = d.import AND i.finished IS NOT NULL)
	        THEN NULL
	      WHEN (d.state = 2 AND (NEW.action = 'device' OR NEW.action = 'device-approve'
	            OR NEW.action = 'device-secret'))
	          OR (d.approved = 1 AND NEW.action = 'device-approve')
	          OR (EXISTS (SELECT 1 FROM device_transition WHERE action = NEW.action)
	            AND NOT EXISTS (SELECT 1 FROM device_transition t
	              WHERE t.from_state = d.state AND t.action = NEW.action))
	        THEN RAISE(ABORT, 'event: does not begin at the state its device has')
	      ELSE 1 END
	    FROM device d WHERE d.id = NEW.device) IS NULL;
END;
CREATE TRIGGER event_update BEFORE UPDATE ON event BEGIN
	SELECT RAISE(ABORT, 'event: a recorded event is never changed');
END;
CREATE TRIGGER event_delete BEFORE DELETE ON event BEGIN
	SELECT RAISE(ABORT, 'event: a recorded event is never deleted');
END;
-- What follows from a change of state. Its certificate is what the event says from here on.
CREATE TRIGGER event_stands AFTER INSERT ON event WHEN NEW.from_state IS NOT NULL BEGIN
	UPDATE tally SET n = n - 1 WHERE ca = NEW.ca AND state = NEW.from_state;
	UPDATE tally SET n = n + 1 WHERE ca = NEW.ca AND state = NEW.to_state;
	UPDATE ca SET changed_event = NEW.id WHERE id = NEW.ca;
	UPDATE crl_shard SET changed_event = NEW.id
	WHERE ca = NEW.ca AND number = (SELECT shard FROM certificate WHERE id = NEW.certificate);
	INSERT INTO listed SELECT c.ca, NEW.id, c.id, c.serial, NEW.to_state, NEW.reason, NEW.time,
	  NEW.invalid_since, c.shard
	FROM certificate c WHERE c.id = NEW.certificate AND NEW.to_state <> 0;
END;
CREATE TRIGGER event_unlists AFTER INSERT ON event WHEN NEW.from_state <> 0 BEGIN
	DELETE FROM listed WHERE ca = NEW.ca AND event = coalesce(
	    (SELECT n.id FROM event n INDEXED BY event_certificate
	      WHERE n.certificate = NEW.certificate AND n.action <> 'issue'
	        AND n.from_state IS NOT NULL AND n.id < NEW.id ORDER BY n.id DESC LIMIT 1),
	    (SELECT issue_event FROM certificate WHERE id = NEW.certificate));
END;

-- Certificates: what may come in; then nothing moves.
CREATE TRIGGER certificate_insert BEFORE INSERT ON certificate BEGIN
	SELECT CASE
	    WHEN NEW.id IS NOT 1 + coalesce((SELECT max(id) FROM certificate), 0)
	      THEN RAISE(ABORT, 'certificate: number is not the next one')
	    -- one form only, or the same number could be there twice
	    WHEN length(NEW.serial) NOT BETWEEN 1 AND 20
	      OR NEW.serial < X'0080' OR NEW.serial >= X'80'
	      THEN RAISE(ABORT, 'certificate: serial is no positive INTEGER of at most 20 octets')
	    WHEN EXISTS (SELECT 1 FROM certificate WHERE ca = NEW.ca AND serial = NEW.serial)
	      THEN RAISE(ABORT, 'certificate: serial is taken')
	    WHEN NOT EXISTS (SELECT 1 FROM profile WHERE id = NEW.profile)
	      THEN RAISE(ABORT, 'certificate: its CA, profile or holder is not recorded')
	    WHEN NEW.issued_state <> 0 AND NEW.issued_state <> 1
	      THEN RAISE(ABORT, 'certificate: is issued valid or on hold only') END;
	-- its event is the newest one
	SELECT CASE
	    WHEN max(id) IS NOT NEW.issue_event OR action IS NOT 'issue'
	      OR certificate IS NOT NEW.id OR ca IS NOT NEW.ca OR holder IS NOT NEW.holder
	      OR to_state IS NOT NEW.issued_state OR reason IS NOT NEW.issued_reason
	      OR time IS NOT NEW.issued
	      THEN RAISE(ABORT, 'certificate: has no issue event of its own')
	    WHEN actor = -2 AND NEW.use <> 1 AND NEW.use <> 2
	      THEN RAISE(ABORT, 'certificate: only devices enrol by themselves') END
	FROM event;
	-- the CA itself, and the one above it
	SELECT RAISE(ABORT, 'certificate: its CA, profile or holder is not recorded')
	WHERE (SELECT CASE
	      WHEN (SELECT c.state <> 0 OR c.not_after < NEW.not_before
	          FROM certificate_now c WHERE c.id = ca.certificate)
	        OR (SELECT c.state <> 0 OR c.not_after < NEW.not_before
	          FROM certificate_now c WHERE c.id = up.certificate)
	        THEN RAISE(ABORT, 'ca: is not valid, it issues nothing') ELSE 1 END
	    FROM ca LEFT JOIN ca up ON up.id = ca.parent WHERE ca.id = NEW.ca) IS NULL;
	SELECT RAISE(ABORT, 'key: is blocked as compromised')
	WHERE EXISTS (SELECT 1 FROM blocked_key b WHERE b.key_hash = NEW.key_hash);
	SELECT CASE
	    WHEN max(c.state = 2 AND c.reason = 1)
	      THEN RAISE(ABORT, 'key: is blocked as compromised')
	    WHEN max(c.holder <> NEW.holder OR c.use <> NEW.use)
	      THEN RAISE(ABORT, 'key: is certified for another holder or usage') END
	FROM certificate_now c WHERE substr(c.key_hash, 1, 8) = substr(NEW.key_hash, 1, 8)
	  AND c.key_hash = NEW.key_hash;
	SELECT RAISE(ABORT, 'certificate: replaces one of another holder or profile')
	WHERE NEW.replaces IS NOT NULL AND NOT EXISTS (SELECT 1 FROM certificate c
	    WHERE c.id = NEW.replaces AND c.holder = NEW.holder AND c.profile = NEW.profile);
	-- A device gets a certificate only while it is registered and active; one that came by
	-- itself, over the front, only when it is approved and has a proof, and only a device comes
	-- by itself.
	SELECT CASE
	    WHEN count(*) = 0
	      THEN RAISE(ABORT, 'certificate: its CA, profile or holder is not recorded')
	    WHEN h.kind <> 1 THEN (SELECT
	        RAISE(ABORT, 'certificate: only devices enrol by themselves')
	      FROM event WHERE id = NEW.issue_event AND actor = -2)
	    WHEN d.id IS NULL OR (d.import IS NOT NULL AND NOT EXISTS (
	      SELECT 1 FROM device_import i WHERE i.id = d.import AND i.finished IS NOT NULL))
	      THEN RAISE(ABORT, 'device: is not registered')
	    WHEN d.hw_type <> h.hw_type
	      THEN RAISE(ABORT, 'device: is registered with another hwType')
	    WHEN d.state = 1 THEN RAISE(ABORT, 'device: is on hold in the register')
	    WHEN d.state <> 0 THEN RAISE(ABORT, 'device: is retired')
	    WHEN (d.approved <> 1 OR d.proofs = 0)
	      AND (SELECT actor FROM event WHERE id = NEW.issue_event) = -2
	      THEN CASE WHEN d.approved = 0 THEN RAISE(ABORT, 'device: is not approved')
	        ELSE RAISE(ABORT, 'device: enrols only through operators') END END
	FROM holder h LEFT JOIN device d ON d.id = h.device WHERE h.id = NEW.holder;
	-- Of its certificates of this profile that go on, 1 = one is valid, 2 = on hold.
	SELECT CASE
	    -- a revoked one is no proof: to name it is as good as to name none
	    WHEN max(CASE WHEN c.profile = NEW.profile
	          AND c.not_after >= min(NEW.not_before, NEW.issued)
	        THEN CASE c.state WHEN 2 THEN 0 ELSE 1 + (c.state = 1) END ELSE 0 END) > 0
	      AND coalesce((SELECT state FROM certificate_now WHERE id = NEW.replaces), 2) = 2
	      THEN RAISE(ABORT, 'device: has an unrevoked certificate of this profile')
	    -- nor is a hold left behind by a newer certificate
	    WHEN max(CASE WHEN c.profile = NEW.profile
	          AND c.not_after >= min(NEW.not_before, NEW.issued)
	        THEN CASE c.state WHEN 2 THEN 0 ELSE 1 + (c.state = 1) END ELSE 0 END) = 2
	      THEN RAISE(ABORT, 'device: its certificate of this profile is on hold')
	    WHEN count(c.id)
	        >= coalesce((SELECT value FROM setting WHERE name = 'certificates_per_device'), 0)
	      THEN RAISE(ABORT, 'device: has all the certificates it may ever have') END
	FROM holder h CROSS JOIN certificate_now c ON c.holder = h.id
	WHERE h.id = NEW.holder AND h.kind = 1;
	-- The number of the row was not known when the certificate was signed: a few rows on their
	-- way may fall behind the end of their shard, none before its beginning.
	SELECT CASE
	    WHEN NOT EXISTS (SELECT 1 FROM crl_shard s WHERE s.ca = NEW.ca AND s.number = NEW.shard)
	      THEN RAISE(ABORT, 'certificate: its shard is not recorded')
	    WHEN NEW.id / 12000 - NEW.shard NOT BETWEEN 0 AND 1
	      THEN RAISE(ABORT, 'certificate: its shard is not the one of its number') END
	WHERE NEW.shard IS NOT NULL;
END;
CREATE TRIGGER certificate_tally_insert AFTER INSERT ON certificate BEGIN
	UPDATE tally SET n = n + 1 WHERE ca = NEW.ca AND state = NEW.issued_state;
END;
CREATE TRIGGER certificate_issued_on_hold AFTER INSERT ON certificate
WHEN NEW.issued_state <> 0 BEGIN
	UPDATE ca SET changed_event = NEW.issue_event WHERE id = NEW.ca;
	UPDATE crl_shard SET changed_event = NEW.issue_event
	WHERE ca = NEW.ca AND number = NEW.shard AND changed_event <> NEW.issue_event;
	INSERT INTO listed VALUES (NEW.ca, NEW.issue_event, NEW.id, NEW.serial, NEW.issued_state,
	  NEW.issued_reason, NEW.issued, NULL, NEW.shard);
END;
CREATE TRIGGER certificate_fixed BEFORE UPDATE ON certificate BEGIN
	SELECT RAISE(ABORT, 'certificate: what was issued is never changed');
END;

-- Holders: as in 001; a device's is that of its place in the register.
CREATE TRIGGER holder_insert BEFORE INSERT ON holder BEGIN
	SELECT RAISE(ABORT, 'holder: identity is never changed')
	WHERE EXISTS (SELECT 1 FROM holder WHERE id = NEW.id)
	   OR EXISTS (SELECT 1 FROM holder WHERE device = NEW.device)
	   OR EXISTS (SELECT 1 FROM holder
	    WHERE kind = NEW.kind AND kind <> 1 AND name = NEW.name);
	SELECT RAISE(ABORT, 'device: is not registered')
	WHERE (NEW.kind = 1 OR NEW.device IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM device d
	    WHERE NEW.kind = 1 AND d.id = NEW.device AND d.eui = NEW.name
	      AND (d.import IS NULL OR EXISTS (SELECT 1 FROM device_import i
	        WHERE i.id = d.import AND i.finished IS NOT NULL)));
END;
CREATE TRIGGER holder_update BEFORE UPDATE ON holder BEGIN
	SELECT RAISE(ABORT, 'holder: identity is never changed')
	WHERE NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.name <> OLD.name
	   OR NEW.hw_type <> OLD.hw_type OR NEW.device IS NOT OLD.device;
END;
CREATE TRIGGER holder_delete BEFORE DELETE ON holder BEGIN
	SELECT RAISE(ABORT, 'holder: is never deleted');
END;

-- A responder certificate: as in 001.
CREATE TRIGGER responder_insert BEFORE INSERT ON responder BEGIN
	SELECT RAISE(ABORT, 'responder: is no OCSP certificate of this CA')
	WHERE NOT EXISTS (SELECT 1 FROM certificate_now c
	    WHERE c.id = NEW.certificate AND c.ca = NEW.ca AND c.use = 4 AND c.state = 0);
END;
CREATE TRIGGER responder_update BEFORE UPDATE ON responder BEGIN
	SELECT RAISE(ABORT, 'responder: is no OCSP certificate of this CA')
	WHERE NOT EXISTS (SELECT 1 FROM certificate_now c
	    WHERE c.id = NEW.certificate AND c.ca = NEW.ca AND c.use = 4 AND c.state = 0);
END;
