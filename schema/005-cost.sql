-- Rules of 001 and 002 that each certificate passes, the same rules in the same words, said so that
-- they cost less: an IN of three constants or of columns builds a table each time it is asked, each
-- trigger has a frame of its own, and rows of one index are read once.

DROP TRIGGER event_order;
DROP TRIGGER event_issue;
DROP TRIGGER event_front;
DROP TRIGGER event_state;
DROP TRIGGER certificate_insert;

-- Also what was event_issue (001) and event_front (002).
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
	WHERE NEW.actor < 0 AND NEW.action = 'clock-accept';
	SELECT RAISE(ABORT, 'event: its certificate is issued already')
	WHERE NEW.action = 'issue'
	  AND EXISTS (SELECT 1 FROM certificate WHERE id = NEW.certificate);
	SELECT RAISE(ABORT, 'event: reason or date do not go with the state')
	WHERE NEW.action = 'issue'
	  AND (NEW.invalid_since IS NOT NULL OR (NEW.to_state = 0 AND NEW.reason IS NOT NULL)
	    OR (NEW.to_state = 1 AND NEW.reason IS NOT 6));
	-- What comes over the front issues to devices, and nothing else.
	SELECT RAISE(ABORT, 'event: its actor is nobody') WHERE NEW.actor < -2;
	SELECT RAISE(ABORT, 'event: the front only enrols')
	WHERE NEW.actor < -1
	  AND NEW.action <> 'issue' AND NEW.action <> 'holder' AND NEW.action <> 'rekey';
END;
CREATE TRIGGER event_state BEFORE INSERT ON event
WHEN NEW.action = 'hold' OR NEW.action = 'reactivate' OR NEW.action = 'revoke' BEGIN
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
	WHERE NEW.state <> 0 AND NEW.state <> 1;
	SELECT RAISE(ABORT, 'certificate: has no issue event of its own')
	WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.id = NEW.event
	    AND e.id = (SELECT max(id) FROM event) AND e.action = 'issue'
	    AND e.certificate = NEW.id AND e.ca = NEW.ca AND e.holder = NEW.holder
	    AND e.to_state = NEW.state AND e.reason IS NEW.reason AND e.time = NEW.changed);
	SELECT RAISE(ABORT, 'certificate: is recorded without its bytes')
	WHERE NOT EXISTS (SELECT 1 FROM certificate_der d WHERE d.certificate = NEW.id);
	-- the CA itself, and the one above it
	SELECT RAISE(ABORT, 'ca: is not valid, it issues nothing')
	WHERE EXISTS (SELECT 1 FROM ca CROSS JOIN certificate c ON c.id = ca.certificate
	    WHERE ca.id = NEW.ca AND (c.state <> 0 OR c.not_after < NEW.not_before))
	   OR EXISTS (SELECT 1 FROM ca CROSS JOIN ca up ON up.id = ca.parent
	    CROSS JOIN certificate c ON c.id = up.certificate
	    WHERE ca.id = NEW.ca AND (c.state <> 0 OR c.not_after < NEW.not_before));
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
	SELECT CASE
	    WHEN count(h.id) = 0 THEN NULL -- no device
	    -- a revoked one is no proof: to name it is as good as to name none
	    WHEN max(c.profile = NEW.profile AND c.state <> 2
	        AND c.not_after >= min(NEW.not_before, NEW.changed))
	      AND coalesce((SELECT state FROM certificate WHERE id = NEW.replaces), 2) = 2
	      THEN RAISE(ABORT, 'device: has an unrevoked certificate of this profile')
	    -- nor is a hold left behind by a newer certificate
	    WHEN max(c.profile = NEW.profile AND c.state = 1
	        AND c.not_after >= min(NEW.not_before, NEW.changed))
	      THEN RAISE(ABORT, 'device: its certificate of this profile is on hold')
	    WHEN count(c.id)
	        >= coalesce((SELECT value FROM setting WHERE name = 'certificates_per_device'), 0)
	      THEN RAISE(ABORT, 'device: has all the certificates it may ever have') END
	FROM holder h LEFT JOIN certificate c ON c.holder = h.id
	WHERE h.id = NEW.holder AND h.kind = 1;
END;
