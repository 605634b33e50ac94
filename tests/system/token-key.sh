#!/bin/sh
# Keys of access tokens: the first one from init, the next ones beside a running smkid, one that its
# token has lost.
#
#   token-key.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq sqlite3 p11tool

# keys FILTER: of the list.
keys() {
	$smki --json token-key list | jq -r "$1"
}

make_home
has "a key made" 'key access-1: P-256, made on token smki-issuing' "$work/init.out"
up

title "the first key"
same "one, which signs" 'access-1 true true' "$(keys '"\(.label) \(.signs) \(.published)"')"
# RFC 7638 3, written here once more.
same "key id" "$(sqlite3 "$home/db/smki.db" 'SELECT hex(point) FROM access_key' | "$python" -c '
import base64, hashlib, sys
point = bytes.fromhex(sys.stdin.read())
text = lambda b: base64.urlsafe_b64encode(b).rstrip(b"=").decode()
print(text(hashlib.sha256(("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}"
    % (text(point[1:33]), text(point[33:]))).encode()).digest()))')" "$(keys .kid)"
ends 0 "list" $smki token-key list
has "for people" "access-1     $(keys .kid)  made " "$work/stdout"
has "for people" 'published, signs' "$work/stdout"

title "the next ones"
ends 0 "new" $smki token-key new
has "what it says" access-2 "$work/stdout"
same "the old one signs, both are published" 'access-1 true true
access-2 false true' "$(keys '"\(.label) \(.signs) \(.published)"')"
same "half an hour from now" 1800 "$(sqlite3 "$home/db/smki.db" \
    "SELECT active_from - made FROM access_key WHERE label = 'access-2'")"
same "who" "$(id -u)" "$(sqlite3 "$home/db/smki.db" "SELECT DISTINCT actor FROM event
    WHERE action = 'access-key'")"
ends 0 "and another" $smki --json token-key new
same "what it says" 'access-3 false' "$(jq -r '"\(.label) \(.signs)"' "$work/stdout")"
same "each has an event" 3 "$(sqlite3 "$home/db/smki.db" "SELECT count(*) FROM event
    WHERE action = 'access-key'")"
lacks "all are on their token" ': left out' "$work/log"
same "nothing wrong" none "$($smki status | sed -n 's/^alarm *//p')"

title "bad input"
for line in token-key 'token-key frobnicate' 'token-key list x' 'token-key new x'; do
	# shellcheck disable=SC2086
	ends 64 "usage: $line" $smki $line
done
down
refuses 75 "without smkid" 'start it with: smki' $smki token-key new

title "a new start"
up
same "as before" 'access-1 access-2 access-3' "$(keys .label | paste -sd ' ' -)"
lacks "all are on their token" ': left out' "$work/log"
down

title "a key that its token has lost"
module=$(sed -n '/^\[token issuing\]/,/^$/s/^module = //p' "$home/smki.conf")
(SOFTHSM2_CONF=$home/tokens/issuing/softhsm2.conf GNUTLS_PIN=$(cat "$home/pin/issuing")
export SOFTHSM2_CONF GNUTLS_PIN
for type in private public; do
	p11tool --provider "$module" --batch --login \
	    --delete "pkcs11:token=smki-issuing;object=access-2;type=$type" || exit 1
done) >"$work/p11tool" 2>&1 </dev/null || fail "p11tool: $(cat "$work/p11tool")"
up
has "it is told" 'access key access-2: left out: token smki-issuing: key access-2:' "$work/log"
lacks "the others are there" 'access-3: left out' "$work/log"
same "nothing else is wrong" none "$($smki status | sed -n 's/^alarm *//p')"
ends 0 "the next one" $smki token-key new
has "its label" access-4 "$work/stdout"
down
finish
