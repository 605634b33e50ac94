-- smki database, first version. Later versions are further numbered files; this one is never
-- edited once released. What the rows mean and the state diagram: README.md in this folder.
--
-- The rules stand here a second time, after C: whoever opens this file with any tool cannot make
-- an illegal state change, delete a certificate or edit issued bytes without dropping a trigger or
-- switching triggers off. Triggers only RAISE(ABORT): the statement fails, the transaction decides
-- what to do. They rest neither on recursive_triggers, foreign_keys or ignore_check_constraints nor
-- on the ON CONFLICT choice of the statement that fires them.

-- Limits and choices that triggers need. Values change; names come with schema files.
CREATE TABLE setting (
	name TEXT PRIMARY KEY,
	value INTEGER NOT NULL CHECK (value > 0)
) STRICT, WITHOUT ROWID;
-- "Fewer than 100 certificates a device over all time."
INSERT INTO setting VALUES ('certificates_per_device', 99);

-- The words an event's action is chosen from. A table, so that a later schema file can add some
-- without copying all events.
CREATE TABLE event_action (
	name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO event_action VALUES ('init'), ('ca'), ('holder'), ('issue'), ('hold'), ('reactivate'),
	('revoke'), ('crl'), ('responder'), ('clock-accept'), ('key-blocked');

-- What happened, in order: one row for each change, written in the transaction of the change.
-- id is the event number that CRLs and backups refer to; it has no gaps.
CREATE TABLE event (
	id INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,          -- seconds since 1970; never before the event before it
	actor INTEGER NOT NULL,         -- uid of the peer, -1 = the service itself
	action TEXT NOT NULL REFERENCES event_action(name),
	ca INTEGER REFERENCES ca(id),
	-- deferred: the issue event stands before the certificate's row
	certificate INTEGER REFERENCES certificate(id) DEFERRABLE INITIALLY DEFERRED,
	holder INTEGER REFERENCES holder(id),
	from_state INTEGER,             -- hold, reactivate, revoke
	to_state INTEGER,               -- the same and issue
	reason INTEGER,                 -- CRLReason of RFC 5280 5.3.1
	invalid_since INTEGER,
	detail TEXT NOT NULL DEFAULT '' CHECK (length(detail) < 256), -- free text
	CHECK ((from_state IS NOT NULL)
	    = (action = 'hold' OR action = 'reactivate' OR action = 'revoke')),
	CHECK ((to_state IS NOT NULL)
	    = (action = 'issue' OR action = 'hold' OR action = 'reactivate' OR action = 'revoke')),
	CHECK (to_state IS NULL OR (certificate IS NOT NULL AND ca IS NOT NULL))
) STRICT;
CREATE INDEX event_certificate ON event(certificate) WHERE certificate IS NOT NULL;
-- sqlite3_blob_write() fires no trigger, but refuses a column that stands in an index: hence here
-- and below indexes over texts and octets that hold no row.
CREATE INDEX event_detail ON event(detail) WHERE 0;
-- The only places where event times may step back: between two of them, time grows with id.
CREATE INDEX event_clock ON event(action) WHERE action = 'clock-accept';

-- Names of profiles, so that a certificate row carries a small number.
CREATE TABLE profile (
	id INTEGER PRIMARY KEY CHECK (id > 0),
	name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63)
) STRICT;

-- Whom certificates are for. A device is a holder of kind 1.
CREATE TABLE holder (
	id INTEGER PRIMARY KEY CHECK (id > 0),
	kind INTEGER NOT NULL CHECK (kind > 0),          -- enum holder_kind: 1 device, 2 organisation
	name BLOB NOT NULL CHECK (length(name) BETWEEN 1 AND 128), -- EUI-64 octets, or a label
	hw_type TEXT NOT NULL DEFAULT '',                -- devices: hwType, dotted
	UNIQUE (kind, name),
	CHECK (kind NOT IN (1, 2) OR length(name) = 8),
	CHECK ((kind = 1) = (hw_type <> ''))
) STRICT;
CREATE INDEX holder_hw_type ON holder(hw_type) WHERE 0; -- see event_detail

CREATE TABLE ca (
	id INTEGER PRIMARY KEY CHECK (id > 0),
	name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),
	parent INTEGER NOT NULL REFERENCES ca(id), -- itself for a root
	certificate INTEGER REFERENCES certificate(id), -- its own; set once, after the row
	changed_event INTEGER NOT NULL DEFAULT 0        -- newest event that its next CRL must show
) STRICT;

-- One row for each certificate ever recorded. id counts up by one: rows are appended.
CREATE TABLE certificate (
	id INTEGER PRIMARY KEY,
	ca INTEGER NOT NULL REFERENCES ca(id),
	serial BLOB NOT NULL,           -- contents octets of a positive INTEGER, minimal
	profile INTEGER NOT NULL REFERENCES profile(id),
	holder INTEGER NOT NULL REFERENCES holder(id),
	use INTEGER NOT NULL CHECK (use > 0), -- enum key_use: 3 CA, 4 OCSP
	key_hash BLOB NOT NULL CHECK (length(key_hash) = 32), -- SHA-256 of the public point
	not_before INTEGER NOT NULL,
	not_after INTEGER NOT NULL CHECK (not_after >= not_before),
	replaces INTEGER REFERENCES certificate(id), -- the one it follows, when a rule asks for one
	state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2), -- valid, hold, revoked
	reason INTEGER,        -- NULL when valid, 6 on hold, CRLReason when revoked
	changed INTEGER NOT NULL,       -- time of the event below
	invalid_since INTEGER,          -- invalidityDate, revoked only
	event INTEGER NOT NULL REFERENCES event(id), -- the event that made it what it is now
	CHECK (CASE state
	    WHEN 0 THEN reason IS NULL
	    WHEN 1 THEN reason IS 6
	    ELSE coalesce(reason, -1) IN (0, 1, 2, 3, 4, 5, 9, 10) END),
	CHECK (invalid_since IS NULL OR (state = 2 AND invalid_since <= changed))
) STRICT;
CREATE UNIQUE INDEX certificate_serial ON certificate(ca, serial);
-- Narrow on purpose: 8 octets find, the comparison in full decides.
CREATE INDEX certificate_key ON certificate(substr(key_hash, 1, 8));
CREATE INDEX certificate_key_hash ON certificate(key_hash) WHERE 0; -- see event_detail
CREATE INDEX certificate_holder ON certificate(holder);
-- What a CRL of a CA lists, in its order; and lists by state. Valid rows pay for neither.
CREATE INDEX certificate_listed ON certificate(ca, id) WHERE state <> 0;
CREATE INDEX certificate_state ON certificate(state) WHERE state <> 0;

-- The issued bytes, apart from what is read often. They stand before the certificate's row (hence
-- deferred), so that no certificate can be recorded without them.
CREATE TABLE certificate_der (
	certificate INTEGER PRIMARY KEY
	    REFERENCES certificate(id) DEFERRABLE INITIALLY DEFERRED,
	der BLOB NOT NULL CHECK (length(der) > 0)
) STRICT;
CREATE INDEX certificate_der_bytes ON certificate_der(der) WHERE 0; -- see event_detail

-- Keys that nobody may have a certificate for any more (SHA-256 of the public point).
CREATE TABLE blocked_key (
	key_hash BLOB PRIMARY KEY CHECK (length(key_hash) = 32),
	event INTEGER NOT NULL REFERENCES event(id)
) STRICT, WITHOUT ROWID;

-- CRL numbers are taken here before a byte is written, and finished when the file is durable.
-- event = newest event that the list shows; a number never finished is burnt.
CREATE TABLE crl (
	ca INTEGER NOT NULL REFERENCES ca(id),
	number INTEGER NOT NULL CHECK (number > 0),
	taken INTEGER NOT NULL,
	event INTEGER REFERENCES event(id),
	this_update INTEGER,
	next_update INTEGER,
	entries INTEGER CHECK (entries >= 0),
	size INTEGER CHECK (size >= 0),
	sha256 BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
	PRIMARY KEY (ca, number),
	CHECK ((event IS NULL) = (this_update IS NULL) AND (event IS NULL) = (next_update IS NULL)
	    AND (event IS NULL) = (entries IS NULL) AND (event IS NULL) = (size IS NULL)
	    AND (event IS NULL) = (sha256 IS NULL)),
	CHECK (next_update > this_update)
) STRICT, WITHOUT ROWID;
-- The newest finished one is found without a walk through numbers burnt since.
CREATE INDEX crl_finished ON crl(ca, number) WHERE event IS NOT NULL;

-- The OCSP responder certificate in use for a CA.
CREATE TABLE responder (
	ca INTEGER PRIMARY KEY REFERENCES ca(id),
	certificate INTEGER NOT NULL REFERENCES certificate(id)
) STRICT;

-- Certificates by state, kept by triggers, so that nobody counts rows. Three rows a CA, made with
-- it. Derived: no rule rests on these numbers, and no change fails when they are wrong.
CREATE TABLE tally (
	ca INTEGER NOT NULL REFERENCES ca(id),
	state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
	n INTEGER NOT NULL,
	PRIMARY KEY (ca, state)
) STRICT, WITHOUT ROWID;

-- The life cycle. A pair that does not stand here is refused.
CREATE TABLE transition (
	from_state INTEGER NOT NULL,
	to_state INTEGER NOT NULL,
	action TEXT NOT NULL,
	PRIMARY KEY (from_state, to_state)
) STRICT, WITHOUT ROWID;
INSERT INTO transition VALUES
	(0, 1, 'hold'), (1, 0, 'reactivate'), (0, 2, 'revoke'), (1, 2, 'revoke');

-- INSERT OR REPLACE deletes the row in its way without firing its delete trigger (unless the
-- connection asks for recursive triggers), so every insert trigger below refuses a row whose
-- primary key or unique columns are there already.

-- Events: appended one by one, in order of time, never touched again. Only an administrator's
-- acceptance of the clock may step back in time.
CREATE TRIGGER event_order BEFORE INSERT ON event BEGIN
	SELECT RAISE(ABORT, 'event: a recorded event is never changed')
	WHERE EXISTS (SELECT 1 FROM event WHERE id = NEW.id);
	SELECT RAISE(ABORT, 'event: its action has no name here')
	WHERE NOT EXISTS (SELECT 1 FROM event_action WHERE name = NEW.action);
	SELECT RAISE(ABORT, 'event: time is before the event before it')
	WHERE NEW.action <> 'clock-accept'
	  AND NEW.time < (SELECT time FROM event ORDER BY id DESC LIMIT 1);
	SELECT RAISE(ABORT, 'event: time is not one of the years 1970 to 9999')
	WHERE NEW.time NOT BETWEEN 0 AND 253402300799;
	SELECT RAISE(ABORT, 'event: the service does not accept its own clock')
	WHERE NEW.action = 'clock-accept' AND NEW.actor < 0;
END;
-- After, because only then is a number that SQLite chose itself known.
CREATE TRIGGER event_sequence AFTER INSERT ON event BEGIN
	SELECT RAISE(ABORT, 'event: number is not the next one')
	WHERE NEW.id <> 1 + coalesce((SELECT max(id) FROM event WHERE id < NEW.id), 0);
END;
CREATE TRIGGER event_issue BEFORE INSERT ON event WHEN NEW.action = 'issue' BEGIN
	SELECT RAISE(ABORT, 'event: its certificate is issued already')
	WHERE EXISTS (SELECT 1 FROM certificate WHERE id = NEW.certificate);
	SELECT RAISE(ABORT, 'event: reason or date do not go with the state')
	WHERE NEW.invalid_since IS NOT NULL OR (NEW.to_state = 0 AND NEW.reason IS NOT NULL)
	   OR (NEW.to_state = 1 AND NEW.reason IS NOT 6);
END;
CREATE TRIGGER event_state BEFORE INSERT ON event
WHEN NEW.action IN ('hold', 'reactivate', 'revoke') BEGIN
	SELECT RAISE(ABORT, 'certificate: this state change is not in the transition table')
	WHERE NOT EXISTS (SELECT 1 FROM transition t WHERE t.from_state = NEW.from_state
	    AND t.to_state = NEW.to_state AND t.action = NEW.action);
	SELECT RAISE(ABORT, 'event: does not begin at the state its certificate has')
	WHERE NOT EXISTS (SELECT 1 FROM certificate c WHERE c.id = NEW.certificate
	    AND c.ca = NEW.ca AND c.state = NEW.from_state
	    AND c.holder = coalesce(NEW.holder, c.holder));
	SELECT RAISE(ABORT, 'event: reason or date do not go with the state')
	WHERE NOT CASE NEW.to_state
	    WHEN 0 THEN NEW.reason IS NULL
	    WHEN 1 THEN NEW.reason IS 6
	    ELSE coalesce(NEW.reason, -1) IN (0, 1, 2, 3, 4, 5, 9, 10) END
	   OR (NEW.invalid_since IS NOT NULL
	    AND (NEW.to_state <> 2 OR NEW.invalid_since NOT BETWEEN 1 AND NEW.time));
END;
CREATE TRIGGER event_action_update BEFORE UPDATE ON event_action BEGIN
	SELECT RAISE(ABORT, 'event_action: a word in use is never changed');
END;
CREATE TRIGGER event_action_delete BEFORE DELETE ON event_action BEGIN
	SELECT RAISE(ABORT, 'event_action: a word in use is never deleted');
END;
CREATE TRIGGER event_update BEFORE UPDATE ON event BEGIN
	SELECT RAISE(ABORT, 'event: a recorded event is never changed');
END;
CREATE TRIGGER event_delete BEFORE DELETE ON event BEGIN
	SELECT RAISE(ABORT, 'event: a recorded event is never deleted');
END;

-- Certificates: what may come in. Numbers are given, not chosen by SQLite: the event names them.
CREATE TRIGGER certificate_insert BEFORE INSERT ON certificate BEGIN
	SELECT RAISE(ABORT, 'certificate: number is not the next one')
	WHERE NEW.id IS NOT (SELECT 1 + coalesce(max(id), 0) FROM certificate);
	-- one form only, or the same number could be there twice
	SELECT RAISE(ABORT, 'certificate: serial is no positive INTEGER of at most 20 octets')
	WHERE length(NEW.serial) NOT BETWEEN 1 AND 20 OR substr(NEW.serial, 1, 1) >= X'80'
	   OR (substr(NEW.serial, 1, 1) = X'00' AND substr(NEW.serial, 2, 1) < X'80');
	SELECT RAISE(ABORT, 'certificate: serial is taken')
	WHERE EXISTS (SELECT 1 FROM certificate WHERE ca = NEW.ca AND serial = NEW.serial);
	SELECT RAISE(ABORT, 'certificate: its CA, profile or holder is not recorded')
	WHERE NOT EXISTS (SELECT 1 FROM ca WHERE id = NEW.ca)
	   OR NOT EXISTS (SELECT 1 FROM profile WHERE id = NEW.profile)
	   OR NOT EXISTS (SELECT 1 FROM holder WHERE id = NEW.holder);
	SELECT RAISE(ABORT, 'certificate: is issued valid or on hold only')
	WHERE NEW.state NOT IN (0, 1);
	SELECT RAISE(ABORT, 'certificate: has no issue event of its own')
	WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.id = NEW.event
	    AND e.id = (SELECT max(id) FROM event) AND e.action = 'issue'
	    AND e.certificate = NEW.id AND e.ca = NEW.ca AND e.holder = NEW.holder
	    AND e.to_state = NEW.state AND e.reason IS NEW.reason AND e.time = NEW.changed);
	SELECT RAISE(ABORT, 'certificate: is recorded without its bytes')
	WHERE NOT EXISTS (SELECT 1 FROM certificate_der d WHERE d.certificate = NEW.id);
	SELECT RAISE(ABORT, 'ca: is not valid, it issues nothing')
	WHERE EXISTS (SELECT 1 FROM ca JOIN ca up ON up.id = ca.parent
	    JOIN certificate c ON c.id IN (ca.certificate, up.certificate)
	    WHERE ca.id = NEW.ca AND (c.state <> 0 OR c.not_after < NEW.not_before));
	SELECT RAISE(ABORT, 'key: is blocked as compromised')
	WHERE EXISTS (SELECT 1 FROM blocked_key b WHERE b.key_hash = NEW.key_hash)
	   OR EXISTS (SELECT 1 FROM certificate c
	    WHERE substr(c.key_hash, 1, 8) = substr(NEW.key_hash, 1, 8)
	      AND c.key_hash = NEW.key_hash AND c.state = 2 AND c.reason = 1);
	SELECT RAISE(ABORT, 'key: is certified for another holder or usage')
	WHERE EXISTS (SELECT 1 FROM certificate c
	    WHERE substr(c.key_hash, 1, 8) = substr(NEW.key_hash, 1, 8)
	      AND c.key_hash = NEW.key_hash AND (c.holder <> NEW.holder OR c.use <> NEW.use));
	SELECT RAISE(ABORT, 'certificate: replaces one of another holder or profile')
	WHERE NEW.replaces IS NOT NULL AND NOT EXISTS (SELECT 1 FROM certificate c
	    WHERE c.id = NEW.replaces AND c.holder = NEW.holder AND c.profile = NEW.profile);
	-- a revoked one is no proof: to name it is as good as to name none
	SELECT RAISE(ABORT, 'device: has an unrevoked certificate of this profile')
	FROM holder h WHERE h.id = NEW.holder AND h.kind = 1
	  AND coalesce((SELECT state FROM certificate WHERE id = NEW.replaces), 2) = 2
	  AND EXISTS (SELECT 1 FROM certificate c WHERE c.holder = NEW.holder
	    AND c.profile = NEW.profile AND c.state <> 2
	    AND c.not_after >= min(NEW.not_before, NEW.changed));
	-- nor is a hold left behind by a newer certificate
	SELECT RAISE(ABORT, 'device: its certificate of this profile is on hold')
	FROM holder h WHERE h.id = NEW.holder AND h.kind = 1
	  AND EXISTS (SELECT 1 FROM certificate c WHERE c.holder = NEW.holder
	    AND c.profile = NEW.profile AND c.state = 1
	    AND c.not_after >= min(NEW.not_before, NEW.changed));
	SELECT RAISE(ABORT, 'device: has all the certificates it may ever have')
	FROM holder h WHERE h.id = NEW.holder AND h.kind = 1
	  AND (SELECT count(*) FROM certificate c WHERE c.holder = NEW.holder)
	    >= coalesce((SELECT value FROM setting WHERE name = 'certificates_per_device'), 0);
END;
CREATE TRIGGER certificate_tally_insert AFTER INSERT ON certificate BEGIN
	UPDATE tally SET n = n + 1 WHERE ca = NEW.ca AND state = NEW.state;
	UPDATE ca SET changed_event = NEW.event WHERE id = NEW.ca AND NEW.state <> 0;
END;

-- Certificates: only the state moves, along the transition table, each time with the event that
-- was written just before it.
CREATE TRIGGER certificate_fixed BEFORE UPDATE ON certificate BEGIN
	SELECT RAISE(ABORT, 'certificate: what was issued is never changed')
	WHERE NEW.id <> OLD.id OR NEW.ca <> OLD.ca OR NEW.serial <> OLD.serial
	   OR NEW.profile <> OLD.profile OR NEW.holder <> OLD.holder OR NEW.use <> OLD.use
	   OR NEW.key_hash <> OLD.key_hash OR NEW.not_before <> OLD.not_before
	   OR NEW.not_after <> OLD.not_after OR NEW.replaces IS NOT OLD.replaces;
	SELECT RAISE(ABORT, 'certificate: this state change is not in the transition table')
	WHERE NOT EXISTS (SELECT 1 FROM transition t
	    WHERE t.from_state = OLD.state AND t.to_state = NEW.state);
	SELECT RAISE(ABORT, 'certificate: the state change has no event of its own')
	WHERE NOT EXISTS (SELECT 1 FROM event e, transition t
	    WHERE e.id = NEW.event AND e.id = (SELECT max(id) FROM event)
	      AND e.id > OLD.event AND e.certificate = NEW.id AND e.ca = NEW.ca
	      AND e.from_state = OLD.state AND e.to_state = NEW.state
	      AND t.from_state = OLD.state AND t.to_state = NEW.state AND t.action = e.action
	      AND e.reason IS NEW.reason AND e.invalid_since IS NEW.invalid_since
	      AND e.time = NEW.changed);
END;
CREATE TRIGGER certificate_tally_update AFTER UPDATE OF state ON certificate BEGIN
	UPDATE tally SET n = n - 1 WHERE ca = OLD.ca AND state = OLD.state;
	UPDATE tally SET n = n + 1 WHERE ca = NEW.ca AND state = NEW.state;
	UPDATE ca SET changed_event = NEW.event WHERE id = NEW.ca;
END;
CREATE TRIGGER certificate_delete BEFORE DELETE ON certificate BEGIN
	SELECT RAISE(ABORT, 'certificate: is never deleted');
END;
CREATE TRIGGER certificate_der_insert BEFORE INSERT ON certificate_der BEGIN
	SELECT RAISE(ABORT, 'certificate: issued bytes are never changed')
	WHERE EXISTS (SELECT 1 FROM certificate_der WHERE certificate = NEW.certificate);
	SELECT RAISE(ABORT, 'certificate: bytes are not those of the next one')
	WHERE NEW.certificate IS NOT (SELECT 1 + coalesce(max(id), 0) FROM certificate);
END;
CREATE TRIGGER certificate_der_update BEFORE UPDATE ON certificate_der BEGIN
	SELECT RAISE(ABORT, 'certificate: issued bytes are never changed');
END;
CREATE TRIGGER certificate_der_delete BEFORE DELETE ON certificate_der BEGIN
	SELECT RAISE(ABORT, 'certificate: issued bytes are never deleted');
END;

CREATE TRIGGER holder_insert BEFORE INSERT ON holder BEGIN
	SELECT RAISE(ABORT, 'holder: identity is never changed')
	WHERE EXISTS (SELECT 1 FROM holder WHERE id = NEW.id)
	   OR EXISTS (SELECT 1 FROM holder WHERE kind = NEW.kind AND name = NEW.name);
END;
CREATE TRIGGER holder_update BEFORE UPDATE ON holder BEGIN
	SELECT RAISE(ABORT, 'holder: identity is never changed')
	WHERE NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.name <> OLD.name
	   OR NEW.hw_type <> OLD.hw_type;
END;
CREATE TRIGGER holder_delete BEFORE DELETE ON holder BEGIN
	SELECT RAISE(ABORT, 'holder: is never deleted');
END;
CREATE TRIGGER profile_insert BEFORE INSERT ON profile BEGIN
	SELECT RAISE(ABORT, 'profile: a name in use is never changed')
	WHERE EXISTS (SELECT 1 FROM profile WHERE id = NEW.id OR name = NEW.name);
END;
CREATE TRIGGER profile_update BEFORE UPDATE ON profile BEGIN
	SELECT RAISE(ABORT, 'profile: a name in use is never changed');
END;
CREATE TRIGGER profile_delete BEFORE DELETE ON profile BEGIN
	SELECT RAISE(ABORT, 'profile: a name in use is never deleted');
END;

-- CAs: named once; the certificate is set once, afterwards; changed_event follows the events.
CREATE TRIGGER ca_insert BEFORE INSERT ON ca BEGIN
	SELECT RAISE(ABORT, 'ca: identity is never changed')
	WHERE EXISTS (SELECT 1 FROM ca WHERE id = NEW.id OR name = NEW.name);
	SELECT RAISE(ABORT, 'ca: begins without certificate and without changes')
	WHERE NEW.certificate IS NOT NULL OR NEW.changed_event <> 0;
END;
CREATE TRIGGER ca_tally AFTER INSERT ON ca BEGIN
	INSERT INTO tally VALUES (NEW.id, 0, 0), (NEW.id, 1, 0), (NEW.id, 2, 0);
END;
CREATE TRIGGER ca_update BEFORE UPDATE ON ca BEGIN
	SELECT RAISE(ABORT, 'ca: identity is never changed')
	WHERE NEW.id <> OLD.id OR NEW.name <> OLD.name OR NEW.parent <> OLD.parent
	   OR (OLD.certificate IS NOT NULL AND NEW.certificate IS NOT OLD.certificate);
	SELECT RAISE(ABORT, 'ca: its certificate is none that its parent issued to a CA')
	WHERE NEW.certificate IS NOT OLD.certificate AND NOT EXISTS (SELECT 1 FROM certificate c
	    WHERE c.id = NEW.certificate AND c.ca = NEW.parent AND c.use = 3);
	-- or the serials of one issuer would be unique in two places
	SELECT RAISE(ABORT, 'ca: its key is that of another CA')
	WHERE NEW.certificate IS NOT OLD.certificate AND EXISTS (SELECT 1 FROM ca
	    JOIN certificate o ON o.id = ca.certificate JOIN certificate c ON c.id = NEW.certificate
	    WHERE ca.id <> NEW.id AND o.key_hash = c.key_hash);
	SELECT RAISE(ABORT, 'ca: changed_event is no later event of this CA')
	WHERE NEW.changed_event <> OLD.changed_event AND (NEW.changed_event < OLD.changed_event
	    OR NOT EXISTS (SELECT 1 FROM event WHERE id = NEW.changed_event AND ca = NEW.id));
END;
CREATE TRIGGER ca_delete BEFORE DELETE ON ca BEGIN
	SELECT RAISE(ABORT, 'ca: is never deleted');
END;
CREATE TRIGGER tally_insert BEFORE INSERT ON tally BEGIN
	SELECT RAISE(ABORT, 'tally: its rows come with the CA')
	WHERE EXISTS (SELECT 1 FROM tally WHERE ca = NEW.ca AND state = NEW.state);
END;
CREATE TRIGGER tally_update BEFORE UPDATE ON tally BEGIN
	SELECT RAISE(ABORT, 'tally: its rows come with the CA')
	WHERE NEW.ca <> OLD.ca OR NEW.state <> OLD.state;
END;
CREATE TRIGGER tally_delete BEFORE DELETE ON tally BEGIN
	SELECT RAISE(ABORT, 'tally: is never deleted');
END;

-- A responder certificate comes from the CA that it answers for (RFC 6960 4.2.2.2). A change is
-- for another valid one; nobody checks whether it is revoked later (nocheck).
CREATE TRIGGER responder_insert BEFORE INSERT ON responder BEGIN
	SELECT RAISE(ABORT, 'responder: is no OCSP certificate of this CA')
	WHERE NOT EXISTS (SELECT 1 FROM certificate c
	    WHERE c.id = NEW.certificate AND c.ca = NEW.ca AND c.use = 4 AND c.state = 0);
END;
CREATE TRIGGER responder_update BEFORE UPDATE ON responder BEGIN
	SELECT RAISE(ABORT, 'responder: is no OCSP certificate of this CA')
	WHERE NOT EXISTS (SELECT 1 FROM certificate c
	    WHERE c.id = NEW.certificate AND c.ca = NEW.ca AND c.use = 4 AND c.state = 0);
END;

CREATE TRIGGER responder_delete BEFORE DELETE ON responder BEGIN
	SELECT RAISE(ABORT, 'responder: is never deleted');
END;

CREATE TRIGGER blocked_key_insert BEFORE INSERT ON blocked_key BEGIN
	SELECT RAISE(ABORT, 'blocked key: is never changed')
	WHERE EXISTS (SELECT 1 FROM blocked_key WHERE key_hash = NEW.key_hash);
	SELECT RAISE(ABORT, 'blocked key: has no event of its own')
	WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.id = NEW.event
	    AND e.id = (SELECT max(id) FROM event) AND e.action = 'key-blocked');
END;
CREATE TRIGGER blocked_key_update BEFORE UPDATE ON blocked_key BEGIN
	SELECT RAISE(ABORT, 'blocked key: is never changed');
END;
CREATE TRIGGER blocked_key_delete BEFORE DELETE ON blocked_key BEGIN
	SELECT RAISE(ABORT, 'blocked key: is never deleted');
END;

-- A setting changes its value and nothing else: without it, its rule would not hold.
CREATE TRIGGER setting_update BEFORE UPDATE ON setting BEGIN
	SELECT RAISE(ABORT, 'setting: a name is never changed') WHERE NEW.name <> OLD.name;
END;
CREATE TRIGGER setting_delete BEFORE DELETE ON setting BEGIN
	SELECT RAISE(ABORT, 'setting: is never deleted');
END;
CREATE TRIGGER transition_insert BEFORE INSERT ON transition BEGIN
	SELECT RAISE(ABORT, 'transition: the life cycle is fixed');
END;
CREATE TRIGGER transition_update BEFORE UPDATE ON transition BEGIN
	SELECT RAISE(ABORT, 'transition: the life cycle is fixed');
END;
CREATE TRIGGER transition_delete BEFORE DELETE ON transition BEGIN
	SELECT RAISE(ABORT, 'transition: the life cycle is fixed');
END;

-- CRL numbers: one by one upwards, finished once, with the event that was written just before.
CREATE TRIGGER crl_insert BEFORE INSERT ON crl BEGIN
	SELECT RAISE(ABORT, 'crl: number is not the next one, or comes finished')
	WHERE NEW.event IS NOT NULL OR NEW.number <> 1 + coalesce(
	    (SELECT max(number) FROM crl WHERE ca = NEW.ca), 0);
	SELECT RAISE(ABORT, 'crl: its CA is not recorded')
	WHERE NOT EXISTS (SELECT 1 FROM ca WHERE id = NEW.ca);
END;
CREATE TRIGGER crl_update BEFORE UPDATE ON crl BEGIN
	SELECT RAISE(ABORT, 'crl: a finished list is never changed')
	WHERE OLD.event IS NOT NULL OR NEW.ca <> OLD.ca OR NEW.number <> OLD.number
	   OR NEW.taken <> OLD.taken OR NEW.event IS NULL;
	-- The newest finished one has the largest number and event, because of this very rule. Its
	-- time may be later only when the clock was set back and accepted since.
	SELECT RAISE(ABORT, 'crl: is older than a finished one')
	FROM (SELECT number, event, this_update FROM crl INDEXED BY crl_finished
	    WHERE ca = NEW.ca AND event IS NOT NULL ORDER BY number DESC LIMIT 1) c
	WHERE c.number > NEW.number OR c.event > NEW.event
	   OR (c.this_update > NEW.this_update AND NOT EXISTS (SELECT 1 FROM event e
	      WHERE e.action = 'clock-accept' AND e.id > c.event));
	SELECT RAISE(ABORT, 'crl: has no event of its own')
	WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.id = (SELECT max(id) FROM event)
	    AND e.action = 'crl' AND e.ca = NEW.ca AND e.id > NEW.event)
	   OR NOT EXISTS (SELECT 1 FROM event WHERE id = NEW.event);
END;
CREATE TRIGGER crl_delete BEFORE DELETE ON crl BEGIN
	SELECT RAISE(ABORT, 'crl: a number is never deleted');
END;
