/*
 * A PKCS#11 module for tests: it loads the real one named by SMKI_SHIM_MODULE, passes every call
 * through, and misbehaves as the control file named by SMKI_SHIM_CONTROL says. The file is read
 * anew at every call; a missing or empty one means good behaviour. One word, and a number:
 *
 *   away            the token is pulled: no slot with a token, CKR_DEVICE_REMOVED everywhere else,
 *                   and the sessions open at that moment are dead, their login gone, when it
 *                   comes back
 *   gone            the same, and it stays so until the module is initialised anew after the word
 *                   has changed
 *   info-error      C_GetTokenInfo fails with CKR_DEVICE_ERROR
 *   drop-sessions N sessions open before this N was first seen are dead
 *   open-error N    the same, and the next C_OpenSession fails with CKR_DEVICE_REMOVED, once
 *   sign-error N    the next C_Sign fails before it reaches the token, once for each new N, which
 *                   leaves its operation active
 *   sign-always     every C_Sign fails so
 *   sign-garbage    C_Sign answers with the right length and wrong octets
 *   sign-short      C_Sign answers one octet too few
 *   few-sessions N  C_OpenSession allows N sessions at a time (CKR_SESSION_COUNT)
 *   hang            C_Sign blocks until the file says something else
 *   hang-once N     one C_Sign does, once for each new N
 *   hang-open       C_OpenSession does
 *   hang-init       C_Initialize does
 *   hang-login N    the sessions are dead and logged out, and C_Login does
 *   slow N          C_Sign takes N milliseconds longer
 *   weak-keys       CKA_EXTRACTABLE reads as true
 *
 * Every C_Login appends the line "login" to the file named by SMKI_SHIM_COUNT, every C_Sign
 * "sign", every C_OpenSession "open", every C_Initialize "init".
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#define SHIM_SESSIONS 4096

/* How often a blocked call looks at the control file. */
#define SHIM_POLL_NS 2000000

struct shim_control {
	char word[32];
	long n;
	int away;
};

static CK_FUNCTION_LIST *shim_real;
static CK_FUNCTION_LIST shim_list;
static pthread_mutex_t shim_lock = PTHREAD_MUTEX_INITIALIZER;
/* Held for reading by calls of the real module, for writing while it is logged out. */
static pthread_rwlock_t shim_calls = PTHREAD_RWLOCK_INITIALIZER;
static long shim_dropped, shim_open_failed, shim_sign_failed, shim_hung;
static int shim_was_away;
/* Pulled and not to be seen again by a module that is not initialised anew. */
static int shim_gone;
/* A session is dead when it was opened in an earlier epoch. */
static unsigned long shim_epoch = 1;
static struct {
	CK_SESSION_HANDLE handle;
	unsigned long epoch; /* 0: free */
} shim_sessions[SHIM_SESSIONS];

static void
shim_count(const char *line)
{
	const char *path = getenv("SMKI_SHIM_COUNT");
	int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (write(fd, line, strlen(line)) < 0)
		abort();
	close(fd);
}

/* Call the real module; it is not logged out meanwhile. */
#define SHIM_CALL(rv, call)                                                                        \
	do {                                                                                       \
		pthread_rwlock_rdlock(&shim_calls);                                                \
		(rv) = shim_real->call;                                                            \
		pthread_rwlock_unlock(&shim_calls);                                                \
	} while (0)

/* Pulled: with the sessions goes the login. The lock is held. */
static void
shim_pull(void)
{
	pthread_rwlock_wrlock(&shim_calls);
	for (size_t i = 0; i < SHIM_SESSIONS; i++)
		if (shim_sessions[i].epoch != 0) {
			(void)shim_real->C_Logout(shim_sessions[i].handle);
			break;
		}
	pthread_rwlock_unlock(&shim_calls);
	shim_epoch++;
}

/* The control file as it is now. The lock is held: what one thread reads is never older than what
 * another has acted upon, or a fault would come a second time. */
static struct shim_control
shim_read(void)
{
	struct shim_control control = { .word = "" };
	const char *path = getenv("SMKI_SHIM_CONTROL");
	FILE *f = path == NULL ? NULL : fopen(path, "re");

	if (f != NULL) {
		if (fscanf(f, "%31s %ld", control.word, &control.n) < 1)
			control.word[0] = '\0';
		fclose(f);
	}
	return control;
}

/* What is read, and what begins now noted: pulled, dropped. */
static struct shim_control
shim_control(void)
{
	struct shim_control control;

	pthread_mutex_lock(&shim_lock);
	control = shim_read();
	if (strcmp(control.word, "gone") == 0)
		shim_gone = 1;
	control.away = shim_gone || strcmp(control.word, "away") == 0;
	if (control.away) {
		if (!shim_was_away)
			shim_pull();
		shim_was_away = 1;
	} else {
		shim_was_away = 0;
	}
	if (control.n != shim_dropped && (strcmp(control.word, "drop-sessions") == 0 ||
					     strcmp(control.word, "open-error") == 0)) {
		shim_dropped = control.n;
		shim_epoch++;
	}
	if (control.n != shim_dropped && strcmp(control.word, "hang-login") == 0) {
		shim_dropped = control.n;
		shim_pull();
	}
	pthread_mutex_unlock(&shim_lock);
	return control;
}

static int
shim_is(const struct shim_control *control, const char *word)
{
	return strcmp(control->word, word) == 0;
}

/* 1 once for each new number behind this word. */
static int
shim_once(const char *word, long *last)
{
	struct shim_control control;
	int r;

	pthread_mutex_lock(&shim_lock);
	control = shim_read();
	r = shim_is(&control, word) && control.n != *last;
	if (r)
		*last = control.n;
	pthread_mutex_unlock(&shim_lock);
	return r;
}

static void
shim_pause(long ns)
{
	struct timespec t = { ns / 1000000000, ns % 1000000000 };

	nanosleep(&t, NULL);
}

static void
shim_block(const char *word)
{
	struct shim_control control = shim_control();

	while (shim_is(&control, word)) {
		shim_pause(SHIM_POLL_NS);
		control = shim_control();
	}
}

/* The state of a session: CKR_OK, or why it cannot be used. */
static CK_RV
shim_session(CK_SESSION_HANDLE handle)
{
	struct shim_control control = shim_control();
	CK_RV rv = CKR_SESSION_HANDLE_INVALID;

	if (control.away)
		return CKR_DEVICE_REMOVED;
	pthread_mutex_lock(&shim_lock);
	for (size_t i = 0; i < SHIM_SESSIONS; i++)
		if (shim_sessions[i].epoch == shim_epoch && shim_sessions[i].handle == handle)
			rv = CKR_OK;
	pthread_mutex_unlock(&shim_lock);
	return rv;
}

static CK_RV
shim_Initialize(void *args)
{
	shim_count("init\n");
	shim_block("hang-init");
	pthread_mutex_lock(&shim_lock);
	shim_gone = 0;
	pthread_mutex_unlock(&shim_lock);
	return shim_real->C_Initialize(args);
}

static CK_RV
shim_Finalize(void *reserved)
{
	pthread_mutex_lock(&shim_lock);
	memset(shim_sessions, 0, sizeof(shim_sessions));
	pthread_mutex_unlock(&shim_lock);
	return shim_real->C_Finalize(reserved);
}

static CK_RV
shim_GetSlotList(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
	struct shim_control control = shim_control();

	if (present && control.away) {
		*n = 0;
		return CKR_OK;
	}
	return shim_real->C_GetSlotList(present, slots, n);
}

static CK_RV
shim_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	struct shim_control control = shim_control();

	if (control.away)
		return CKR_TOKEN_NOT_PRESENT;
	if (shim_is(&control, "info-error"))
		return CKR_DEVICE_ERROR;
	return shim_real->C_GetTokenInfo(slot, info);
}

static CK_RV
shim_OpenSession(
    CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *handle)
{
	struct shim_control control = shim_control();
	size_t alive = 0;
	CK_RV rv;

	shim_count("open\n");
	if (control.away)
		return CKR_TOKEN_NOT_PRESENT;
	if (shim_once("open-error", &shim_open_failed))
		return CKR_DEVICE_REMOVED;
	shim_block("hang-open");
	pthread_mutex_lock(&shim_lock);
	for (size_t i = 0; i < SHIM_SESSIONS; i++)
		alive += shim_sessions[i].epoch == shim_epoch;
	pthread_mutex_unlock(&shim_lock);
	if (shim_is(&control, "few-sessions") && alive >= (size_t)control.n)
		return CKR_SESSION_COUNT;
	SHIM_CALL(rv, C_OpenSession(slot, flags, application, notify, handle));
	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&shim_lock);
	for (size_t i = 0; i < SHIM_SESSIONS; i++)
		if (shim_sessions[i].epoch == 0) {
			shim_sessions[i].epoch = shim_epoch;
			shim_sessions[i].handle = *handle;
			break;
		}
	pthread_mutex_unlock(&shim_lock);
	return CKR_OK;
}

static CK_RV
shim_CloseSession(CK_SESSION_HANDLE handle)
{
	CK_RV alive = shim_session(handle), rv;

	pthread_mutex_lock(&shim_lock);
	for (size_t i = 0; i < SHIM_SESSIONS; i++)
		if (shim_sessions[i].handle == handle)
			shim_sessions[i].epoch = 0;
	pthread_mutex_unlock(&shim_lock);
	/* A dead one ends below too, so that the real token sees its last session go. */
	SHIM_CALL(rv, C_CloseSession(handle));
	return alive == CKR_OK ? rv : alive;
}

static CK_RV
shim_CloseAllSessions(CK_SLOT_ID slot)
{
	pthread_mutex_lock(&shim_lock);
	memset(shim_sessions, 0, sizeof(shim_sessions));
	pthread_mutex_unlock(&shim_lock);
	return shim_real->C_CloseAllSessions(slot);
}

static CK_RV
shim_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
	CK_RV rv = shim_session(handle);

	if (rv == CKR_OK)
		SHIM_CALL(rv, C_GetSessionInfo(handle, info));
	return rv;
}

static CK_RV
shim_Login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
	CK_RV rv = shim_session(handle);

	shim_count("login\n");
	shim_block("hang-login");
	if (rv == CKR_OK)
		SHIM_CALL(rv, C_Login(handle, user, pin, len));
	return rv;
}

static CK_RV
shim_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *match, CK_ULONG n)
{
	CK_RV rv = shim_session(handle);

	if (rv == CKR_OK)
		SHIM_CALL(rv, C_FindObjectsInit(handle, match, n));
	return rv;
}

static CK_RV
shim_GetAttributeValue(
    CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG n)
{
	struct shim_control control = shim_control();
	CK_RV rv = shim_session(handle);

	if (rv == CKR_OK)
		SHIM_CALL(rv, C_GetAttributeValue(handle, object, a, n));
	if (rv == CKR_OK && n == 1 && a[0].type == CKA_EXTRACTABLE &&
	    shim_is(&control, "weak-keys"))
		memset(a[0].pValue, CK_TRUE, sizeof(CK_BBOOL));
	return rv;
}

static CK_RV
shim_GenerateKeyPair(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_ATTRIBUTE *pub,
    CK_ULONG n_pub, CK_ATTRIBUTE *prv, CK_ULONG n_prv, CK_OBJECT_HANDLE *pub_key,
    CK_OBJECT_HANDLE *prv_key)
{
	CK_RV rv = shim_session(handle);

	if (rv == CKR_OK)
		SHIM_CALL(rv,
		    C_GenerateKeyPair(handle, mechanism, pub, n_pub, prv, n_prv, pub_key, prv_key));
	return rv;
}

static CK_RV
shim_SignInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	CK_RV rv = shim_session(handle);

	if (rv == CKR_OK)
		SHIM_CALL(rv, C_SignInit(handle, mechanism, key));
	return rv;
}

static CK_RV
shim_Sign(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG len, CK_BYTE *sig, CK_ULONG *sig_len)
{
	struct shim_control control = shim_control();
	CK_RV rv = shim_session(handle);

	shim_count("sign\n");
	if (rv != CKR_OK)
		return rv;
	if (shim_is(&control, "sign-always") || shim_once("sign-error", &shim_sign_failed))
		return CKR_FUNCTION_FAILED;
	if (shim_is(&control, "slow"))
		shim_pause(control.n * 1000000);
	if (shim_is(&control, "hang"))
		shim_block("hang");
	if (shim_once("hang-once", &shim_hung))
		shim_block("hang-once");
	SHIM_CALL(rv, C_Sign(handle, data, len, sig, sig_len));
	if (rv == CKR_OK && shim_is(&control, "sign-garbage"))
		sig[*sig_len - 1] ^= 1;
	if (rv == CKR_OK && shim_is(&control, "sign-short"))
		(*sig_len)--;
	return rv;
}

static int
shim_load(void)
{
	const char *path = getenv("SMKI_SHIM_MODULE");
	void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *symbol = module == NULL ? NULL : dlsym(module, "C_GetFunctionList");
	CK_C_GetFunctionList get_list;

	if (symbol == NULL)
		return -1;
	memcpy(&get_list, &symbol, sizeof(get_list));
	if (get_list(&shim_real) != CKR_OK)
		return -1;
	memcpy(&shim_list, shim_real, sizeof(shim_list));
	shim_list.C_GetFunctionList = C_GetFunctionList;
	shim_list.C_Initialize = shim_Initialize;
	shim_list.C_Finalize = shim_Finalize;
	shim_list.C_GetSlotList = shim_GetSlotList;
	shim_list.C_GetTokenInfo = shim_GetTokenInfo;
	shim_list.C_OpenSession = shim_OpenSession;
	shim_list.C_CloseSession = shim_CloseSession;
	shim_list.C_CloseAllSessions = shim_CloseAllSessions;
	shim_list.C_GetSessionInfo = shim_GetSessionInfo;
	shim_list.C_Login = shim_Login;
	shim_list.C_FindObjectsInit = shim_FindObjectsInit;
	shim_list.C_GetAttributeValue = shim_GetAttributeValue;
	shim_list.C_GenerateKeyPair = shim_GenerateKeyPair;
	shim_list.C_SignInit = shim_SignInit;
	shim_list.C_Sign = shim_Sign;
	return 0;
}

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&shim_lock);
	if (shim_real == NULL && shim_load() != 0)
		rv = CKR_GENERAL_ERROR;
	pthread_mutex_unlock(&shim_lock);
	if (rv == CKR_OK)
		*list = &shim_list;
	return rv;
}
