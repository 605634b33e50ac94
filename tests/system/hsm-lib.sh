# A home on tokens that were made beforehand and are reached through the faulty module of
# tests/hsm/shim. Sourced by hsm-*.sh behind lib.sh; $3 of the script is that module.

shim=$(realpath "$3")
pin=0123456789abcdef so_pin=fedcba9876543210
control=$work/control logins=$work/logins
needs openssl curl jq pgrep sqlite3 p11tool
softhsm=
for m in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
    /usr/lib64/pkcs11/libsofthsm2.so; do
	[ -z "$softhsm" ] && [ -f "$m" ] && softhsm=$m
done
[ -n "$softhsm" ] || skip "no SoftHSM here"

# now_ms: a clock for measuring.
now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# quick MS WHAT COMMAND...: it takes less.
quick() {
	quick_ms=$1 quick_what=$2
	shift 2
	quick_begin=$(now_ms)
	"$@"
	quick_took=$(($(now_ms) - quick_begin))
	[ "$quick_took" -lt "$quick_ms" ] || fail "$quick_what: took $quick_took ms, want < $quick_ms"
	pass
}

# fault WORD...: how the tokens misbehave from now on; nothing = well. Never half a word.
fault() {
	echo "$*" >"$control.next"
	mv "$control.next" "$control"
}

# count_of WORD: how often the tokens were called so (login, sign, open).
count_of() {
	grep -cx "$1" "$logins"
}

# The PINs pass through the environment of p11tool, never its arguments.
make_token() {
	(GNUTLS_SO_PIN=$so_pin GNUTLS_PIN=$pin
	export GNUTLS_SO_PIN GNUTLS_PIN
	p11tool --provider "$softhsm" --batch --initialize --label "$1" \
	    'pkcs11:manufacturer=SoftHSM%20project;serial=;token=' &&
	    p11tool --provider "$softhsm" --batch --initialize-pin "pkcs11:token=$1") \
	    >"$work/p11tool" 2>&1 </dev/null || {
		cat "$work/p11tool"
		fail "token $1 cannot be made"
	}
}

# token_conf ROLE LINE: one more line in [token ROLE].
token_conf() {
	sed -i "/^\[token $1\]/a $2" "$home/smki.conf"
}

# make_hsm_home: three tokens in one SoftHSM, the home on them through the shim.
make_hsm_home() {
	mkdir "$work/objects" "$work/pins"
	SOFTHSM2_CONF=$work/softhsm2.conf
	export SOFTHSM2_CONF
	cat >"$SOFTHSM2_CONF" <<CONF
directories.tokendir = $work/objects
objectstore.backend = file
log.level = ERROR
slots.removable = false
CONF
	SMKI_SHIM_MODULE=$softhsm SMKI_SHIM_CONTROL=$control SMKI_SHIM_COUNT=$logins
	export SMKI_SHIM_MODULE SMKI_SHIM_CONTROL SMKI_SHIM_COUNT
	fault
	set --
	for role in root issuing ocsp; do
		make_token "test-$role"
		(umask 077 && echo "$pin" >"$work/pins/$role")
		set -- "$@" --token \
		    "$role=pkcs11:token=test-$role?module-path=$shim&pin-source=file:$work/pins/$role"
	done
	make_home "$@"
	: >"$logins"
}

# certificates: how many are recorded.
certificates() {
	sqlite3 -readonly "$home/db/smki.db" 'SELECT count(*) FROM certificate'
}

# lists: how many lists were finished.
lists() {
	sqlite3 -readonly "$home/db/smki.db" 'SELECT count(*) FROM crl WHERE event IS NOT NULL'
}

# request NAME: key and request only; a new device each time.
devices=0
request() {
	devices=$((devices + 1))
	demo_meter "$(printf '00db5678%08x' "$devices")" digitalSignature "$1" ||
	    fail "openssl makes no request"
}

# issues NAME: 0 when its request gets a certificate.
issues() {
	$smki issue --out "$dir/$1.pem" "$dir/$1.csr" >"$work/stdout" 2>"$work/stderr"
}

# ocsp_error CERT: what the responder answers instead of a status.
ocsp_error() {
	openssl ocsp -issuer "$dir/issuing.pem" -cert "$1" -url "http://$http/ocsp" \
	    -CAfile "$dir/chain.pem" 2>&1 | sed -n 's/^Responder Error: *//p'
}
