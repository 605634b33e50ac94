/*
 * A front that was taken over: speaks to smkid over front.sock as it likes and tries what it must
 * not be able to do. The shell around it registers the devices 00db1234567800nn:
 *   01 secret · 02 secret, on hold · 03 secret, retired · 04 secret, not approved
 *   05 IDevID, end-to-end · 06 IDevID · 10.. secret, for the ceiling
 *
 *   hostile_front HOME DIR PER_MINUTE PER_DAY
 *
 * DIR holds acme-ca.key, acme-ca.pem and secrets ("EUI64 SECRET" lines). Prints how many checks held.
 */
#include <dirent.h>
#include <sys/socket.h>

#include "../unit/enrol_rig.h"
#include "smki/admin.h"
#include "smki/front.h"

#define HOSTILE_CALL_MS 30000
#define HOSTILE_CEILING_FIRST 0x10
#define HOSTILE_CEILING_LAST 0x3f

struct peer {
	int fd;
	uint32_t id;
};

static char socket_path[1200];
static char secrets[256][ENROL_SECRET_MAX + 1];
static struct span needles[320]; /* what no reply may hold */
static size_t n_needles;
static struct maker acme;
static unsigned checks;

#define EXPECT(what, cond)                                                                         \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stdout, "line %d: %s: %s\n", __LINE__, (what), #cond);             \
			exit(1);                                                                   \
		}                                                                                  \
		checks++;                                                                          \
	} while (0)

/* ---- the wire ---- */

static struct peer
peer_new(void)
{
	struct peer peer = { .fd = -1, .id = 1 };

	RIG(wire_connect(socket_path, &peer.fd, &rig_err));
	return peer;
}

static void
reply_clean(const struct buf *reply)
{
	for (size_t i = 0; i < n_needles; i++)
		EXPECT("a secret, PIN or pepper in a reply",
		    memmem(reply->data, reply->len, needles[i].p, needles[i].len) == NULL);
}

/* Send a started message; the reply's payload in in. 1 = an answer, 0 = an error in err. */
static int
peer_call(
    struct peer *peer, struct buf *msg, struct buf *reply, struct wire_in *in, struct err *err)
{
	struct wire_head head;

	RIG(wire_send(peer->fd, msg, HOSTILE_CALL_MS, &rig_err));
	RIG(wire_recv(peer->fd, reply, HOSTILE_CALL_MS, &rig_err));
	RIG(wire_head_get(reply->data, reply->len, &head, in, &rig_err));
	EXPECT("id of a reply", head.id == peer->id);
	reply_clean(reply);
	peer->id++;
	if ((head.flags & WIRE_ERROR) == 0)
		return 1;
	wire_get_err(in, err);
	return 0;
}

static int
peer_hello(struct peer *peer)
{
	struct buf msg = { 0 }, reply = { 0 };
	struct admin_hello hello;
	struct wire_in in;
	struct err err;
	int ok;

	wire_start(&msg, FRONT_HELLO, peer->id, 0);
	ok = peer_call(peer, &msg, &reply, &in, &err) && admin_hello_get(&in, &hello, &err) == 0;
	buf_free(&msg);
	buf_free(&reply);
	return ok && hello.role == ROLE_NONE;
}

/* request is given up. */
static void
peer_enrol(struct peer *peer, struct enrol_request *request, struct enrol_answer *answer)
{
	struct buf msg = { 0 }, reply = { 0 };
	struct wire_in in;
	struct err err;

	wire_start(&msg, FRONT_ENROL, peer->id, 0);
	front_enrol_put(&msg, request);
	if (!peer_call(peer, &msg, &reply, &in, &err)) {
		fprintf(stdout, "enrolment: %s\n", err.msg);
		exit(1);
	}
	RIG(front_enrolled_get(&in, answer, &rig_err));
	EXPECT("a key for nobody", answer->key.len == 0);
	enrol_request_free(request);
	buf_free(&msg);
	buf_free(&reply);
}

/* 1 when the other end closed. */
static int
peer_closed(struct peer *peer)
{
	struct buf reply = { 0 };
	struct err err;
	int closed = wire_recv(peer->fd, &reply, HOSTILE_CALL_MS, &err) != 0 &&
		     err.code == FAIL_UNAVAILABLE && strstr(err.msg, "deadline") == NULL;

	buf_free(&reply);
	close(peer->fd);
	return closed;
}

/* ---- requests ---- */

static struct enrol_request
ask(enum enrol_kind kind, uint8_t nn, const struct softsign *key)
{
	struct enrol_request request = { .kind = kind, .address = "192.0.2.66" };

	rig_csr(key, nn, 1, KEY_USAGE_DIGITAL_SIGNATURE, &request.csr);
	return request;
}

static struct enrol_request
ask_by_secret(uint8_t nn, const struct softsign *key)
{
	struct enrol_request request = ask(ENROL_FIRST, nn, key);

	request.has_secret = true;
	request.secret_eui = enrol_eui(nn);
	memcpy(request.secret, secrets[nn], sizeof(request.secret));
	return request;
}

static struct enrol_request
ask_by_meter(uint8_t nn, const struct softsign *key)
{
	struct enrol_request request = ask(ENROL_FIRST, nn, key);

	maker_meter(&acme, nn, 0, &request.chain[request.n_chain++]);
	return request;
}

static void
state(struct enrol_request *request, uint8_t nn, time_t time, const struct softsign *by)
{
	struct enrol_task task = { .request = *request };

	enrol_with_statement(&task, nn, time, by);
	*request = task.request;
}

static void
refused(struct peer *peer, const char *what, struct enrol_request request, enum refusal reason)
{
	struct enrol_answer answer;

	peer_enrol(peer, &request, &answer);
	if (answer.outcome != ENROL_REFUSED || answer.reason != reason)
		fprintf(stdout, "%s: got outcome %d, %s %s\n", what, (int)answer.outcome,
		    refusal_str(answer.reason), answer.err.msg);
	EXPECT(what, answer.outcome == ENROL_REFUSED && answer.reason == reason);
	EXPECT(what, answer.err.msg[0] != '\0' && answer.issued.der.len == 0);
	enrol_answer_free(&answer);
}

/* The answer is the caller's. */
static struct enrol_answer
issued(struct peer *peer, const char *what, struct enrol_request request, bool existing)
{
	struct enrol_answer answer;

	peer_enrol(peer, &request, &answer);
	if (answer.outcome != ENROL_ISSUED)
		fprintf(stdout, "%s: %s\n", what, answer.err.msg);
	EXPECT(what, answer.outcome == ENROL_ISSUED && answer.issued.existing == existing);
	return answer;
}

/* ---- what it tries ---- */

static void
try_register(struct peer *peer)
{
	struct softsign *key = softsign_new(EC_P256);
	struct enrol_request request = ask_by_secret(1, key);
	struct enrol_answer answer;

	memcpy(request.secret, ENROL_SECRET, sizeof(ENROL_SECRET));
	refused(peer, "wrong secret", request, REFUSAL_SECRET);
	refused(peer, "nothing presented", ask(ENROL_FIRST, 1, key), REFUSAL_CREDENTIAL);
	request = ask_by_secret(1, key);
	request.secret_eui = enrol_eui(0xee);
	refused(peer, "unregistered", request, REFUSAL_UNREGISTERED);
	refused(peer, "unregistered, IDevID", ask_by_meter(0xee, key), REFUSAL_UNREGISTERED);
	refused(peer, "on hold", ask_by_secret(2, key), REFUSAL_HELD);
	refused(peer, "retired", ask_by_secret(3, key), REFUSAL_RETIRED);
	request = ask_by_secret(1, key);
	rig_csr(key, 6, 1, KEY_USAGE_DIGITAL_SIGNATURE, &request.csr);
	refused(peer, "one's secret for another", request, REFUSAL_IDENTITY);
	refused(peer, "no IDevID there", ask_by_meter(1, key), REFUSAL_PROOF);
	for (int i = 0; i < 2; i++) {
		request = ask_by_secret(4, key);
		peer_enrol(peer, &request, &answer);
		EXPECT(
		    "not approved", answer.outcome == ENROL_PENDING && answer.issued.der.len == 0);
	}
	request = ask_by_secret(1, key);
	request.kind = ENROL_SERVER_KEY;
	refused(peer, "server key", request, REFUSAL_PROFILE);
	softsign_free(key);
}

/* The front saw the meter's certificate and a statement of it pass by. */
static void
try_end_to_end(struct peer *peer)
{
	struct softsign *own = softsign_new(EC_P256), *meters = softsign_new(EC_P256);
	struct enrol_request seen = ask_by_meter(5, meters), request;
	struct enrol_answer first, answer;
	time_t now = clock_now();

	refused(peer, "end-to-end, its own key", ask_by_meter(5, own), REFUSAL_PROOF);
	refused(peer, "end-to-end, the meter's key", ask_by_meter(5, meters), REFUSAL_PROOF);
	request = ask_by_meter(5, own);
	state(&request, 5, now, own);
	refused(peer, "end-to-end, its own statement", request, REFUSAL_SIGNATURE);
	state(&seen, 5, now, acme.meter_key);
	request = ask_by_meter(5, own);
	request.has_statement = true;
	request.statement = seen.statement;
	buf_add(&request.signature, seen.signature.data, seen.signature.len);
	refused(peer, "end-to-end, statement of another request", request, REFUSAL_SIGNATURE);
	request = ask_by_meter(5, meters);
	request.has_statement = true;
	request.statement = seen.statement;
	request.statement.model[0] = 'm';
	buf_add(&request.signature, seen.signature.data, seen.signature.len);
	refused(peer, "end-to-end, tampered statement", request, REFUSAL_SIGNATURE);
	request = ask_by_meter(5, meters);
	state(&request, 5, now - 400 * 86400L, acme.meter_key);
	refused(peer, "end-to-end, statement of old", request, REFUSAL_TIME);
	/* As the meter sent it: the meter's certificate, however often. */
	request = ask_by_meter(5, meters);
	state(&request, 5, now, acme.meter_key);
	first = issued(peer, "end-to-end", request, false);
	request = ask_by_meter(5, meters);
	state(&request, 5, now, acme.meter_key);
	answer = issued(peer, "end-to-end, again", request, true);
	EXPECT("end-to-end, again",
	    span_eq(buf_span(&answer.issued.der), buf_span(&first.issued.der)));
	enrol_answer_free(&answer);
	request = ask(ENROL_RENEW, 5, own);
	buf_add(&request.chain[request.n_chain++], first.issued.der.data, first.issued.der.len);
	refused(peer, "end-to-end, re-enrolment", request, REFUSAL_PROOF);
	enrol_answer_free(&first);
	enrol_request_free(&seen);
	softsign_free(own);
	softsign_free(meters);
}

/* Device 06 is at the front's mercy, as the plan says: within the quota. */
static void
try_quota(struct peer *peer, long per_day)
{
	struct softsign *key = softsign_new(EC_P256);
	struct enrol_answer have = issued(peer, "IDevID", ask_by_meter(6, key), false), next;
	struct enrol_request request;

	for (long i = 1; i <= per_day; i++) {
		softsign_free(key);
		key = softsign_new(EC_P256);
		request = ask(ENROL_RENEW, 6, key);
		buf_add(
		    &request.chain[request.n_chain++], have.issued.der.data, have.issued.der.len);
		if (i == per_day) {
			refused(peer, "quota", request, REFUSAL_QUOTA);
			break;
		}
		next = issued(peer, "re-enrolment", request, false);
		EXPECT("re-enrolment", next.issued.replaces == have.issued.id);
		enrol_answer_free(&have);
		have = next;
	}
	enrol_answer_free(&have);
	softsign_free(key);
}

/* made: certificates that were issued since began. */
static void
try_ceiling(struct peer *peer, long per_minute, int64_t began_ms, long made)
{
	struct softsign *key = NULL, *last = NULL;
	struct enrol_request request;
	struct enrol_answer answer;
	bool reached = false;
	uint8_t nn = HOSTILE_CEILING_FIRST;
	int64_t most;

	for (; nn <= HOSTILE_CEILING_LAST && !reached; nn++) {
		key = softsign_new(EC_P256);
		request = ask_by_secret(nn, key);
		peer_enrol(peer, &request, &answer);
		reached = answer.outcome == ENROL_REFUSED && answer.reason == REFUSAL_CEILING &&
			  answer.err.code == FAIL_LIMIT;
		EXPECT("ceiling", reached || answer.outcome == ENROL_ISSUED);
		enrol_answer_free(&answer);
		if (reached)
			break;
		made++;
		most = per_minute + (clock_mono_ms() - began_ms) * per_minute / 60000 + 1;
		EXPECT("ceiling", made <= most);
		softsign_free(last);
		last = key;
		key = NULL;
	}
	EXPECT("ceiling", reached && last != NULL);
	/* A lost answer is given again also then. */
	answer = issued(
	    peer, "again under the ceiling", ask_by_secret((uint8_t)(nn - 1), last), true);
	enrol_answer_free(&answer);
	softsign_free(key);
	softsign_free(last);
}

/* Everything that operators may, with the payloads that theirs have. */
static void
try_admin(struct peer *peer)
{
	struct buf msg = { 0 }, reply = { 0 };
	struct status_request change = {
		.ca = "issuing", .serial = { { 1 }, 1 }, .change = { .action = ACTION_REVOKE }
	};
	struct issue_request issue = { .profile = "device-signature" };
	struct admin_name name = { .ca = "issuing" };
	struct wire_in in;
	struct err err;

	rig_csr(acme.meter_key, 1, 1, KEY_USAGE_DIGITAL_SIGNATURE, &issue.csr);
	for (uint16_t op = 0; op < 300; op++) {
		if (op == FRONT_HELLO)
			continue;
		wire_start(&msg, op, peer->id, 0);
		if (op == ADMIN_ISSUE)
			admin_issue_put(&msg, &issue);
		else if (op == ADMIN_CHANGE || op == ADMIN_CA_CHANGE)
			admin_change_put(&msg, &change);
		else if (op == ADMIN_CRL || op == ADMIN_CRL_BEGIN)
			admin_name_put(&msg, &name);
		EXPECT("an operator's request", !peer_call(peer, &msg, &reply, &in, &err));
		EXPECT("an operator's request", err.code == FAIL_INVALID);
	}
	EXPECT("still served", peer_hello(peer));
	buf_free(&issue.csr);
	buf_free(&msg);
	buf_free(&reply);
}

static void
try_framing(struct peer *other)
{
	static const struct {
		const char *what;
		size_t at, len; /* octet changed, length */
		uint8_t value;
	} rows[] = {
		{ "version 0", 0, WIRE_HEAD, 0 },
		{ "another version", 0, WIRE_HEAD, 9 },
		{ "flags", WIRE_HEAD - 1, WIRE_HEAD, WIRE_MORE },
		{ "unknown flags", WIRE_HEAD - 1, WIRE_HEAD, 0xff },
		{ "half a head", 1, 3, 1 },
		{ "over the limit", WIRE_HEAD, WIRE_MAX + 1, 0 },
	};
	struct buf msg = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer peer = peer_new();

		EXPECT(rows[i].what, peer_hello(&peer));
		wire_start(&msg, FRONT_HELLO, peer.id, 0);
		buf_reserve(&msg, WIRE_MAX + 1);
		memset(msg.data + msg.len, 0, WIRE_MAX + 1 - msg.len);
		msg.data[rows[i].at] = rows[i].value;
		EXPECT(rows[i].what,
		    send(peer.fd, msg.data, rows[i].len, MSG_NOSIGNAL) == (ssize_t)rows[i].len);
		EXPECT(rows[i].what, peer_closed(&peer));
		EXPECT(rows[i].what, peer_hello(other));
	}
	buf_free(&msg);
}

/* Payloads of noise: an error to that request, and no more. */
static void
try_noise(struct peer *peer)
{
	struct buf msg = { 0 }, reply = { 0 };
	struct wire_in in;
	struct err err;
	uint8_t noise[64];

	for (uint16_t op = FRONT_ENROL; op <= FRONT_REFUSED; op++)
		for (int i = 0; i < 50; i++) {
			RIG(rng_draw(noise, sizeof(noise)));
			noise[0] |= 0x80; /* neither a kind, a short length nor a small count */
			wire_start(&msg, op, peer->id, 0);
			buf_add(&msg, noise, sizeof(noise) - (size_t)i);
			EXPECT("noise", !peer_call(peer, &msg, &reply, &in, &err));
			EXPECT("noise", err.code == FAIL_INVALID);
		}
	EXPECT("still served", peer_hello(peer));
	buf_free(&msg);
	buf_free(&reply);
}

/* Counts of strangers that never were, and strangers by the thousand. */
static void
try_flood(struct peer *peer)
{
	struct front_refused *refused = mem_alloc(sizeof(*refused));
	struct softsign *key = softsign_new(EC_P256);
	struct buf msg = { 0 }, reply = { 0 };
	struct wire_in in;
	struct err err;
	unsigned who = 0;

	for (int i = 0; i < 400; i++) {
		for (refused->n = 0; refused->n < FRONT_REFUSED_MAX; refused->n++) {
			snprintf(
			    refused->row[refused->n].who, STORE_REFUSED_LEN, "2001:db8::%x", who);
			refused->row[refused->n].reason = (enum refusal)(
			    1 + who++ % (REFUSALS - 1));
			refused->row[refused->n].n = 1;
		}
		wire_start(&msg, FRONT_REFUSED, peer->id, 0);
		front_refused_put(&msg, refused);
		EXPECT("flood", peer_call(peer, &msg, &reply, &in, &err));
	}
	for (int i = 0; i < 200; i++) {
		struct enrol_request request = ask(ENROL_FIRST, 0xee, key);

		snprintf(request.address, sizeof(request.address), "198.51.100.%d", i);
		request.has_secret = true;
		request.secret_eui = enrol_eui((uint8_t)(0xc0 + i % 32));
		memcpy(request.secret, ENROL_SECRET, sizeof(ENROL_SECRET));
		EXPECT("flood", request.csr.len > 0);
		struct enrol_answer answer;

		peer_enrol(peer, &request, &answer);
		EXPECT("flood", answer.outcome == ENROL_REFUSED);
		enrol_answer_free(&answer);
	}
	softsign_free(key);
	buf_free(&msg);
	buf_free(&reply);
	free(refused);
}

/* ---- what it knows ---- */

static void
needle(const void *p, size_t len)
{
	require(n_needles < ARRAY_LEN(needles) && len >= 4);
	needles[n_needles++] = (struct span){ p, len };
}

/* The files below HOME/dir, without a line's end. */
static void
needle_files(const char *home, const char *sub)
{
	char *path = mem_fmt("%s/%s", home, sub);
	const struct dirent *entry;
	DIR *d = opendir(path);
	size_t seen = 0;

	require(d != NULL);
	while ((entry = readdir(d)) != NULL) {
		char *file = mem_fmt("%s/%s", path, entry->d_name);
		struct buf text = { 0 };

		if (entry->d_name[0] != '.') {
			RIG(file_read(file, 4096, &text, &rig_err));
			if (text.len > 4 && text.data[text.len - 1] == '\n')
				text.len--;
			needle(text.data, text.len); /* kept to the end */
			seen++;
		}
		free(file);
	}
	closedir(d);
	require(seen > 0);
	free(path);
}

static void
know_secrets(const char *dir)
{
	char *path = mem_fmt("%s/secrets", dir), eui[32], text[ENROL_SECRET_MAX + 1];
	FILE *f = fopen(path, "r");
	struct eui64 id;

	require(f != NULL);
	while (fscanf(f, "%31s %64s", eui, text) == 2) {
		RIG(eui64_parse(eui, &id, &rig_err));
		memcpy(secrets[id.octets[7]], text, sizeof(text));
		needle(secrets[id.octets[7]], strlen(text));
	}
	fclose(f);
	free(path);
}

static void
know_maker(const char *dir)
{
	char *key = mem_fmt("%s/acme-ca.key", dir), *pem = mem_fmt("%s/acme-ca.pem", dir);
	FILE *k = fopen(key, "r"), *p = fopen(pem, "r");

	require(k != NULL && p != NULL);
	acme.key = PEM_read_PrivateKey(k, NULL, NULL, NULL);
	acme.root = PEM_read_X509(p, NULL, NULL, NULL);
	require(acme.key != NULL && acme.root != NULL);
	acme.meter_key = softsign_new(EC_P256);
	acme.from = clock_now() - 60;
	fclose(k);
	fclose(p);
	free(key);
	free(pem);
}

int
main(int argc, char **argv)
{
	struct peer peer, other;
	int64_t began_ms;
	long per_minute, per_day;

	require(argc == 5);
	per_minute = strtol(argv[3], NULL, 10);
	per_day = strtol(argv[4], NULL, 10);
	snprintf(socket_path, sizeof(socket_path), "%s/" HOME_FRONT_SOCK, argv[1]);
	know_secrets(argv[2]);
	know_maker(argv[2]);
	needle_files(argv[1], HOME_SECRET);
	needle_files(argv[1], HOME_PINS);
	peer = peer_new();
	other = peer_new();
	EXPECT("hello", peer_hello(&peer) && peer_hello(&other));
	began_ms = clock_mono_ms();
	try_register(&peer);
	try_admin(&peer);
	try_framing(&other);
	try_noise(&peer);
	try_end_to_end(&peer);
	try_quota(&peer, per_day);
	try_ceiling(&peer, per_minute, began_ms, 1 + per_day);
	try_flood(&peer);
	EXPECT("still served", peer_hello(&peer) && peer_hello(&other));
	close(peer.fd);
	close(other.fd);
	for (size_t i = 0; i < n_needles; i++)
		if (needles[i].p < (const uint8_t *)secrets ||
		    needles[i].p >= (const uint8_t *)(secrets + ARRAY_LEN(secrets)))
			free((uint8_t *)(uintptr_t)needles[i].p);
	maker_free(&acme);
	printf("%u\n", checks);
	return 0;
}
