/*
 * For the tests of schema/: SQL texts for rows of the register.
 */
#ifndef REGISTER_ROWS_H
#define REGISTER_ROWS_H

#include "schema_db.h"

/* Device 6, and what it is made of. */
#define EUI6 "0000000000000006"
#define ADD(verb, id, eui, more, values)                                                           \
	verb                                                                                       \
	    " INTO device (id, eui, hw_type, proofs, end_to_end, approved, registered, event" more \
	    ") VALUES (" id ", X'" eui "', '1.2.3', " values ");"
#define PLAIN "0, 0, 1, 100, " NEWEST
#define B32 "zeroblob(32)"

/* Changes, mostly of device 1. */
#define SET(what, id) "UPDATE device SET " what " WHERE id = " id ";"
#define SET_WITH(what, id) SET(what ", event = " NEWEST, id)
#define HOLD1 DEVICE_EVENT("device-hold", "1") SET_WITH("state = 1", "1")
#define RETIRE1 DEVICE_EVENT("device-retire", "1") SET_WITH("state = 2", "1")
#define SECRET1                                                                                    \
	DEVICE_EVENT("device-secret", "1") SET_WITH("secret = " KEY("11") ", proofs = 2", "1")
#define BIND1 SET("secret_key = " KEY("22"), "1")
/* Device 6, not approved */
#define SIX DEVICE_EVENT("device", "6") ADD("INSERT", "6", EUI6, "", "0, 0, 0, 100, " NEWEST)

/* Import 1 and its rows. */
#define IMPORT "INSERT INTO device_import (id, name, started, actor) VALUES (1, 'f', 100, 0);"
#define ROW(import, eui)                                                                           \
	"INSERT INTO device (eui, hw_type, proofs, end_to_end, approved, registered, import) "     \
	"VALUES (X'" eui "', '1.2.3', 1, 0, 1, 100, " import ");"
#define FINISH EVENT("import") "UPDATE device_import SET finished = " NEWEST " WHERE id = 1;"
#define DROP "UPDATE device_import SET dropped = 1 WHERE id = 1;"
#define FILLED IMPORT ROW("1", EUI6)

/* Access keys. */
#define KID(n) "printf('%042d', 0) || '" n "'"
#define ACCESS(verb, id, label, kid, point, made, event)                                           \
	verb " INTO access_key VALUES (" id ", '" label "', " kid ", " point ", " made             \
	     ", 200, " event ");"
#define POINT "X'04' || zeroblob(64)"
#define POINT_CAST "CAST(" POINT " AS BLOB)"
#define ACCESS1 EVENT("access-key") ACCESS("INSERT", "1", "k1", KID("1"), POINT_CAST, "100", NEWEST)

#endif
