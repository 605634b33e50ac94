-- A CRL of a few revoked among millions read a page of the table for each of them. The index of 001
-- with all that a list shows of a row: the table is not read. Valid rows still pay nothing. state
-- is in it although it stands in WHERE: without the column SQLite goes to the table for it.
DROP INDEX certificate_listed;
CREATE INDEX certificate_listed ON certificate(ca, id, serial, reason, changed, invalid_since, state)
	WHERE state <> 0;
