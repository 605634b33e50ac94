#!/bin/sh
# Two users, as under systemd: one for the authority, one for the front, which can read the
# database and not write it, and has neither keys nor PINs of the authority.
#
#   owners.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq setpriv sqlite3
[ "$(id -u)" -eq 0 ] || skip "not root"
ca_user=daemon http_user=www-data
for user in "$ca_user" "$http_user"; do
	id "$user" >/dev/null 2>&1 || skip "no user $user"
done
http_group=$(id -gn "$http_user")
# as USER COMMAND...
as() {
	as_user=$1
	shift
	setpriv --reuid="$as_user" --regid="$(id -g "$as_user")" --clear-groups "$@"
}
as "$ca_user" "$build/smki" --version >/dev/null 2>&1 || skip "the build is out of reach of others"

title "owners"
refuses 65 "no such user" nobody-here "$build/smki" --home "$home" init \
    --owner "nobody-here:$http_user"
make_home --owner "$ca_user:$http_user"
while read -r mode owner path; do
	want=$(echo "$owner" | sed "s/CA/$ca_user/; s/FRONT/$http_user/; s/GROUP/$http_group/")
	same "$path" "$mode ${want%:} $path" "$(stat -c "%a %U:%G $path" "$home/$path" |
	    case $owner in
	    *:) sed 's/:[^ ]*//' ;;
	    *) cat ;;
	    esac)"
done <<'TABLE'
644 root: smki.conf
755 root: policies
2750 CA:GROUP db
640 CA:GROUP db/smki.db
640 CA:GROUP db/smki.db-wal
640 CA:GROUP db/smki.db-shm
700 root: tokens/root
700 CA: tokens/issuing
700 FRONT: tokens/ocsp
400 root: pin/root
400 CA: pin/issuing
400 FRONT: pin/ocsp
400 root: pin/root-so
400 root: pin/issuing-so
400 root: pin/ocsp-so
700 CA: secret
400 CA: secret/pepper
2750 CA:GROUP crl
640 CA:GROUP crl/root-1.crl
400 FRONT: tls/server.key
644 FRONT: tls/server.pem
3775 CA:GROUP run
TABLE
for role in issuing ocsp root; do
	case $role in
	root) owner=root ;;
	issuing) owner=$ca_user ;;
	ocsp) owner=$http_user ;;
	esac
	same "all of token $role" 0 "$(find "$home/tokens/$role" ! -user "$owner" | wc -l)"
done

title "each as its user"
sed -i 's/^administrators = .*/administrators = 65531\noperators = 65532\nauditors = 65533/' \
    "$home/smki.conf"
spawn smkid setpriv --reuid="$ca_user" --regid="$(id -g "$ca_user")" --clear-groups \
    "$build/smkid" --home "$home"
spawn httpd setpriv --reuid="$http_user" --regid="$(id -g "$http_user")" --clear-groups \
    "$build/smki-httpd" --home "$home"
demo_wait 30 started "$httpd" demo_answers "$home" || fail "the daemons do not answer"
healthy() {
	[ "$(curl -sS "http://$http/health" | jq -r .status)" = ok ]
}
within 30 "all is well" healthy
true_that "export of the CA certificates" demo_chain
meter 00db123400000001 digitalSignature one
one=$serial
meter 00db123400000002 digitalSignature two
same "OCSP" good "$(demo_ask "$dir/one.pem")"
ends 0 "hold" $smki hold "$one"
same "OCSP" 'revoked(certificateHold)' "$(demo_ask "$dir/one.pem")"
ends 0 "list" $smki crl
ends 0 "the root's list" $smki ca crl root
ends 0 "status" $smki status
has "smkid reads the listener's certificate" 'certificate until' "$work/stdout"
has "no alarm" 'alarm        none' "$work/stdout"
true_that "lists" demo_crls
true_that "by the lists" demo_verify "$dir/two.pem" -crl_check_all -CRLfile "$dir/crls.pem"
false_that "by the lists" demo_verify "$dir/one.pem" -crl_check_all -CRLfile "$dir/crls.pem"

title "roles by uid"
# by UID COMMAND...
by() {
	by_uid=$1
	shift
	setpriv --reuid="$by_uid" --regid="$by_uid" --clear-groups "$@"
}
cp "$dir/two.csr" "$work/two.csr"
while read -r auditor operator administrator verb; do
	for pair in 65533/$auditor 65532/$operator 65531/$administrator 65534/77; do
		# shellcheck disable=SC2086
		ends "${pair#*/}" "$verb by ${pair%/*}" by "${pair%/*}" $smki $verb
		[ "${pair#*/}" -eq 0 ] || has "$verb by ${pair%/*}" "${pair%/*}" "$work/stderr"
	done
done <<TABLE
0 0 0 list
0 0 0 status
0 0 0 show $one
0 0 0 ca list
77 0 0 hold $serial
77 0 0 reactivate $serial
77 0 0 issue $work/two.csr
77 0 0 crl
77 77 0 clock accept
TABLE
for uid in 65534 65533 65532; do
	ends 77 "ceremony by $uid" by "$uid" $smki ca crl root
	ends 77 "ceremony by $uid" by "$uid" $smki ca revoke "$(demo_serial "$dir/issuing.pem")"
done
ends 77 "ceremony by one who cannot read the root's PIN" by 65531 $smki ca crl root
same "history tells who" "uid 65532" "$($smki --json show "$serial" |
    jq -r '.events[-1].actor')"

for uid in 65534 65532 65533; do
	ends 77 "a key for tokens by $uid" by "$uid" $smki token-key new
done
ends 0 "a key for tokens by root, on the token of $ca_user" $smki token-key new
same "all of token issuing" 0 "$(find "$home/tokens/issuing" ! -user "$ca_user" | wc -l)"
same "smkid has it" 'access-1 access-2' "$($smki --json token-key list | jq -r .label |
    paste -sd ' ' -)"
lacks "smkid has it" 'access-2: left out' "$work/log"

title "what the front cannot do"
same "it can read" 1 "$(as "$http_user" sqlite3 -readonly "$home/db/smki.db" \
    "SELECT count(*) FROM ca WHERE name = 'root'")"
before=$($smki list)
for sql in "UPDATE certificate SET issued_state = 0" "DELETE FROM setting" \
    "INSERT INTO profile VALUES (99, 'x')" "CREATE TABLE x(y)"; do
	false_that "write: $sql" as "$http_user" sqlite3 "$home/db/smki.db" "$sql"
	has "why" readonly "$work/stdout"
done
same "as before" "$before" "$($smki list)"
for path in pin/issuing pin/root pin/issuing-so pin/ocsp-so secret/pepper \
    tokens/issuing/softhsm2.conf tokens/root/softhsm2.conf; do
	false_that "read $path" as "$http_user" cat "$home/$path"
done
for path in db/x crl/x policies/x tokens/x pin/x smki.conf; do
	false_that "write $path" as "$http_user" sh -c "echo >>'$home/$path'"
done
for verb in "hold $serial" list "issue $dir/one.csr" 'ca crl root'; do
	# shellcheck disable=SC2086
	ends 77 "the front's own $verb" as "$http_user" $smki $verb
done

title "what smkid cannot do"
for path in pin/root pin/ocsp tokens/root/softhsm2.conf tokens/ocsp/softhsm2.conf \
    tls/server.key; do
	false_that "read $path" as "$ca_user" cat "$home/$path"
done
for path in smki.conf policies/x pin/x tokens/x; do
	false_that "write $path" as "$ca_user" sh -c "echo >>'$home/$path'"
done

title "afterwards"
for p in "$httpd" "$smkid"; do
	kill -TERM "$p"
	ended "$p"
	same "ends with 0 on SIGTERM" 0 "$ended"
done
same "nothing there is root's" 0 "$(find "$home/db" "$home/crl" -user root | wc -l)"
same "nothing there is open to others" 0 "$(find "$home/db" "$home/crl" -perm /007 | wc -l)"
finish
