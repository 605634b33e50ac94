-- Rules of 001, 002 and 004 that each certificate passes, the same rules in the same words, said so
-- that they cost less: each trigger has a frame of its own, each SELECT from a table opens a cursor
-- of its own, and an IN of three constants or of columns builds a table each time it is asked. So
-- there is one trigger for each row and moment, rules about one row read it once, and the guard of
-- a rule that seldom applies stands before it.

DROP TRIGGER event_order;
DROP TRIGGER event_sequence;
DROP TRIGGER event_issue;
DROP TRIGGER event_state;
DROP TRIGGER event_front;
DROP TRIGGER event_device_insert;
DROP TRIGGER certificate_insert;
DROP TRIGGER certificate_device;
DROP TRIGGER certificate_shard_insert;
DROP TRIGGER certificate_tally_insert;
DROP TRIGGER certificate_shard_listed;
DROP TRIGGER tally_update;

-- Events: what may come in. Numbers are given: where SQLite is to choose one, NEW.id is -1 here,
-- and its choice would be known only afterwards.
CREATE TRIGGER event_order BEFORE INSERT ON event BEGIN
	-- time is that of the newest event
	SELECT CASE
	    WHEN NEW.id BETWEEN 1 AND max(id)
	      THEN RAISE(ABORT, 'event: a recorded event is never changed')
	    WHEN NEW.id IS NOT 1 + coalesce(max(id), 0)
	      THEN RAISE(ABORT, 'event: number is not the next one')
	    WHEN NEW.time < time AND NEW.action <> 'clock-accept'
	      THEN RAISE(ABORT, 'event: time is before the event before it') END
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
	-- The words below stand in event_action for ever.
	SELECT CASE
	    WHEN NEW.action = 'issue' THEN CASE
	      WHEN EXISTS (SELECT 1 FROM certificate WHERE id = NEW.certificate)
	        THEN RAISE(ABORT, 'event: its certificate is issued already')
	      WHEN NEW.invalid_since IS NOT NULL OR (NEW.to_state = 0 AND NEW.reason IS NOT NULL)
	        OR (NEW.to_state = 1 AND NEW.reason IS NOT 6)
	        THEN RAISE(ABORT, 'event: reason or date do not go with the state') END
	    WHEN NEW.action = 'hold' OR NEW.action = 'reactivate' OR NEW.action = 'revoke' THEN CASE
	      WHEN NOT EXISTS (SELECT 1 FROM transition t WHERE t.from_state = NEW.from_state
	        AND t.to_state = NEW.to_state AND t.action = NEW.action)
	        THEN RAISE(ABORT, 'certificate: this state change is not in the transition table')
	      WHEN NOT EXISTS (SELECT 1 FROM certificate c WHERE c.id = NEW.certificate
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
	      THEN RAISE(ABORT, 'event: its action has no name here') END;
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

-- Certificates: what may come in.
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
	    WHEN NEW.state <> 0 AND NEW.state <> 1
	      THEN RAISE(ABORT, 'certificate: is issued valid or on hold only') END;
	-- its event is the newest one
	SELECT CASE
	    WHEN max(id) IS NOT NEW.event OR action IS NOT 'issue' OR certificate IS NOT NEW.id
	      OR ca IS NOT NEW.ca OR holder IS NOT NEW.holder OR to_state IS NOT NEW.state
	      OR reason IS NOT NEW.reason OR time IS NOT NEW.changed
	      THEN RAISE(ABORT, 'certificate: has no issue event of its own')
	    WHEN actor = -2 AND NEW.use <> 1 AND NEW.use <> 2
	      THEN RAISE(ABORT, 'certificate: only devices enrol by themselves') END
	FROM event;
	SELECT RAISE(ABORT, 'certificate: is recorded without its bytes')
	WHERE NOT EXISTS (SELECT 1 FROM certificate_der d WHERE d.certificate = NEW.id);
	-- the CA itself, and the one above it
	SELECT RAISE(ABORT, 'certificate: its CA, profile or holder is not recorded')
	WHERE (SELECT CASE
	      WHEN c.state <> 0 OR c.not_after < NEW.not_before
	        OR u.state <> 0 OR u.not_after < NEW.not_before
	        THEN RAISE(ABORT, 'ca: is not valid, it issues nothing') ELSE 1 END
	    FROM ca LEFT JOIN certificate c ON c.id = ca.certificate
	    LEFT JOIN ca up ON up.id = ca.parent LEFT JOIN certificate u ON u.id = up.certificate
	    WHERE ca.id = NEW.ca) IS NULL;
	SELECT RAISE(ABORT, 'key: is blocked as compromised')
	WHERE EXISTS (SELECT 1 FROM blocked_key b WHERE b.key_hash = NEW.key_hash);
	SELECT CASE
	    WHEN max(c.state = 2 AND c.reason = 1)
	      THEN RAISE(ABORT, 'key: is blocked as compromised')
	    WHEN max(c.holder <> NEW.holder OR c.use <> NEW.use)
	      THEN RAISE(ABORT, 'key: is certified for another holder or usage') END
	FROM certificate c WHERE substr(c.key_hash, 1, 8) = substr(NEW.key_hash, 1, 8)
	  AND c.key_hash = NEW.key_hash;
	SELECT RAISE(ABORT, 'certificate: replaces one of another holder or profile')
	WHERE NEW.replaces IS NOT NULL AND NOT EXISTS (SELECT 1 FROM certificate c
	    WHERE c.id = NEW.replaces AND c.holder = NEW.holder AND c.profile = NEW.profile);
	-- A device gets a certificate only while it is registered and active; one that came by
	-- itself, over the front, only when it is approved and has a proof, and only a device comes
	-- by itself. Of its certificates of this profile that go on, 1 = one is valid, 2 = on hold.
	SELECT CASE
	    WHEN count(*) = 0
	      THEN RAISE(ABORT, 'certificate: its CA, profile or holder is not recorded')
	    WHEN h.kind <> 1 THEN (SELECT
	        RAISE(ABORT, 'certificate: only devices enrol by themselves')
	      FROM event WHERE id = NEW.event AND actor = -2)
	    WHEN d.id IS NULL OR (d.import IS NOT NULL AND NOT EXISTS (
	      SELECT 1 FROM device_import i WHERE i.id = d.import AND i.finished IS NOT NULL))
	      THEN RAISE(ABORT, 'device: is not registered')
	    WHEN d.hw_type <> h.hw_type
	      THEN RAISE(ABORT, 'device: is registered with another hwType')
	    WHEN d.state = 1 THEN RAISE(ABORT, 'device: is on hold in the register')
	    WHEN d.state <> 0 THEN RAISE(ABORT, 'device: is retired')
	    WHEN (d.approved <> 1 OR d.proofs = 0)
	      AND (SELECT actor FROM event WHERE id = NEW.event) = -2
	      THEN CASE WHEN d.approved = 0 THEN RAISE(ABORT, 'device: is not approved')
	        ELSE RAISE(ABORT, 'device: enrols only through operators') END
	    -- a revoked one is no proof: to name it is as good as to name none
	    WHEN max(CASE WHEN c.profile = NEW.profile
	          AND c.not_after >= min(NEW.not_before, NEW.changed)
	        THEN CASE c.state WHEN 2 THEN 0 ELSE 1 + (c.state = 1) END ELSE 0 END) > 0
	      AND coalesce((SELECT state FROM certificate WHERE id = NEW.replaces), 2) = 2
	      THEN RAISE(ABORT, 'device: has an unrevoked certificate of this profile')
	    -- nor is a hold left behind by a newer certificate
	    WHEN max(CASE WHEN c.profile = NEW.profile
	          AND c.not_after >= min(NEW.not_before, NEW.changed)
	        THEN CASE c.state WHEN 2 THEN 0 ELSE 1 + (c.state = 1) END ELSE 0 END) = 2
	      THEN RAISE(ABORT, 'device: its certificate of this profile is on hold')
	    WHEN count(c.id)
	        >= coalesce((SELECT value FROM setting WHERE name = 'certificates_per_device'), 0)
	      THEN RAISE(ABORT, 'device: has all the certificates it may ever have') END
	FROM holder h LEFT JOIN device d ON h.kind = 1 AND d.eui = h.name
	  LEFT JOIN certificate c ON h.kind = 1 AND c.holder = h.id
	WHERE h.id = NEW.holder;
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
	UPDATE tally SET n = n + 1 WHERE ca = NEW.ca AND state = NEW.state;
	UPDATE ca SET changed_event = NEW.event WHERE id = NEW.ca AND NEW.state <> 0;
	UPDATE crl_shard SET changed_event = NEW.event
	WHERE ca = NEW.ca AND number = NEW.shard AND changed_event <> NEW.event AND NEW.state <> 0;
END;
-- OF: counting fires nothing; a table WITHOUT ROWID has no column of another name.
CREATE TRIGGER tally_update BEFORE UPDATE OF ca, state ON tally BEGIN
	SELECT RAISE(ABORT, 'tally: its rows come with the CA')
	WHERE NEW.ca <> OLD.ca OR NEW.state <> OLD.state;
END;
