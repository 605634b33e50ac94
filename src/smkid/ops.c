/*
 * The operations of the two sockets, each with the least role that may ask for it. What a socket
 * does not list does not exist on it.
 */
#include "smkid.h"
#include "smki/front.h"
#include "smki/mem.h"

static void
op_hello(struct request *req, struct wire_in *in)
{
	struct admin_hello hello = { .version = SMKI_VERSION, .role = req->role, .uid = req->uid };
	struct buf msg = { 0 };
	struct err err;

	if (wire_end(in, "hello", &err) != 0) {
		request_fail(req, &err);
		return;
	}
	request_start(req, &msg, false);
	admin_hello_put(&msg, &hello);
	request_end(req, &msg);
}

static const struct op ops_admin[] = {
	{ ADMIN_HELLO, ROLE_NONE, "hello", op_hello },
	{ ADMIN_STATUS, ROLE_AUDITOR, "status", op_status },
	{ ADMIN_ISSUE, ROLE_OPERATOR, "issue", op_issue },
	{ ADMIN_CHANGE, ROLE_OPERATOR, "change", op_change },
	{ ADMIN_SHOW, ROLE_AUDITOR, "show", op_show },
	{ ADMIN_LIST, ROLE_AUDITOR, "list", op_list },
	{ ADMIN_CRL, ROLE_OPERATOR, "crl", op_crl },
	{ ADMIN_CA_LIST, ROLE_AUDITOR, "ca-list", op_ca_list },
	{ ADMIN_CA_CHANGE, ROLE_ADMINISTRATOR, "ca-change", op_ca_change },
	{ ADMIN_CRL_BEGIN, ROLE_ADMINISTRATOR, "crl-begin", op_crl_begin },
	{ ADMIN_CRL_PUT, ROLE_ADMINISTRATOR, "crl-put", op_crl_put },
	{ ADMIN_CLOCK, ROLE_ADMINISTRATOR, "clock", op_clock },
	{ ADMIN_DEVICE_ADD, ROLE_OPERATOR, "device-add", op_device_add },
	{ ADMIN_DEVICE_CHANGE, ROLE_OPERATOR, "device-change", op_device_change },
	{ ADMIN_DEVICE_SHOW, ROLE_AUDITOR, "device-show", op_device_show },
	{ ADMIN_DEVICE_LIST, ROLE_AUDITOR, "device-list", op_device_list },
	{ ADMIN_DEVICE_SECRET, ROLE_OPERATOR, "device-secret", op_device_secret },
	{ ADMIN_DEVICE_NAMES, ROLE_AUDITOR, "device-names", op_device_names },
	{ ADMIN_IMPORT_BEGIN, ROLE_OPERATOR, "import-begin", op_import_begin },
	{ ADMIN_IMPORT_ADD, ROLE_OPERATOR, "import-add", op_import_add },
	{ ADMIN_IMPORT_FINISH, ROLE_OPERATOR, "import-finish", op_import_finish },
	{ ADMIN_IMPORT_DROP, ROLE_OPERATOR, "import-drop", op_import_drop },
	{ ADMIN_ACCESS_KEY, ROLE_ADMINISTRATOR, "access-key", op_access_key },
	{ ADMIN_ACCESS_KEYS, ROLE_AUDITOR, "access-keys", op_access_keys },
};

static const struct op ops_front[] = {
	{ FRONT_HELLO, ROLE_NONE, "front-hello", op_hello },
	{ FRONT_ENROL, ROLE_NONE, "enrol", op_enrol },
	{ FRONT_TOKEN, ROLE_NONE, "token", op_token },
	{ FRONT_REFUSED, ROLE_NONE, "refused", op_refused },
};

const struct op *
op_find(bool front, uint16_t number)
{
	const struct op *ops = front ? ops_front : ops_admin;
	size_t n = front ? ARRAY_LEN(ops_front) : ARRAY_LEN(ops_admin);

	for (size_t i = 0; i < n; i++)
		if (ops[i].number == number)
			return &ops[i];
	return NULL;
}
