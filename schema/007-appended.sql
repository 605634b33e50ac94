-- The indexes of what is not valid go by the event that made it so, which only grows: a change of
-- state adds to the end of each, however many rows there are, and lists are read as they were
-- written. By number of the certificate each change would touch a page of its own in both.
DROP INDEX certificate_listed;
CREATE INDEX certificate_listed
	ON certificate(ca, event, serial, reason, changed, invalid_since, state) WHERE state <> 0;
DROP INDEX certificate_state;
CREATE INDEX certificate_state ON certificate(state, event) WHERE state <> 0;
