-- What caches of status answers follow: the events that changed a certificate's state, found
-- without a walk through those of issuing.
CREATE INDEX event_state_change ON event(id) WHERE from_state IS NOT NULL;
