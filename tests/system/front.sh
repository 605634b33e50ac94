#!/bin/sh
# smkid with a hostile program in the front's place: what is not registered, active, approved and
# proven gets nothing; quotas, ceilings and the bound of refusal rows hold; nothing of an operator's
# works; bad framing costs that connection only.
#
#   front.sh BUILD_ROOT SOURCE_ROOT HOSTILE_FRONT
set -u
. "$2/tests/system/lib.sh"
needs openssl jq sqlite3
hostile=$3
hw=1.3.6.1.4.1.32473.1
per_minute=10 per_day=3

# add NN OPTION...: register 00db1234567800NN; a secret goes to $dir/secrets.
add() {
	add_eui=00db1234567800$1
	shift
	ends 0 "device add $add_eui" $smki device add "$add_eui" --hw-type $hw "$@"
	awk '$2 == "secret" { print $1, $3 }' "$work/stdout" >>"$dir/secrets"
}

# certificates NN: how many it has.
certificates() {
	$smki --json list --device "00db1234567800$1" | wc -l
}

# rows SQL: of the database.
rows() {
	sqlite3 -readonly "$home/db/smki.db" "$1"
}

answers() {
	$smki status >"$work/status" 2>&1
}

make_home
sed -i '/^\[enrol\]/,/^$/d' "$home/smki.conf"
printf '\n[enrol]\nper_minute = %s\ndevice_per_day = %s\n' $per_minute $per_day >>"$home/smki.conf"
demo_manufacturer acme || fail "no manufacturer"
: >"$dir/secrets"
spawn smkid "$build/smkid" --home "$home"
within 30 "smkid answers" answers

title "register"
add 01 --manufacturer acme --secret
add 02 --secret
add 03 --secret
add 04 --secret --approval
add 05 --manufacturer acme --idevid --end-to-end
add 06 --manufacturer acme --idevid
for nn in 1 2 3; do
	for d in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do
		add "$nn$d" --secret
	done
done
ends 0 "hold" $smki device hold 00db123456780002
ends 0 "retire" $smki device retire 00db123456780003
meter 00db1234567800aa digitalSignature operators
held=$serial
ends 0 "hold" $smki hold "$held"
meter 00db1234567800ab digitalSignature others
valid=$serial

title "a hostile front"
said=$("$hostile" "$home" "$dir" $per_minute $per_day) || fail "$said"
checks=$((checks + said))

title "what it got"
for nn in 01 02 03 04 ee; do
	same "certificates of $nn" 0 "$(certificates $nn)"
done
same "end-to-end: the meter's own" 1 "$(certificates 05)"
same "within the quota" $per_day "$(certificates 06)"
same "on hold as before" hold "$(state_of "$held")"
same "valid as before" valid "$(state_of "$valid")"
same "no state changed" 1 \
    "$(rows "SELECT count(*) FROM event WHERE action IN ('hold', 'reactivate', 'revoke')")"
same "only issued, all else is an operator's" 'issue rekey' \
    "$(rows "SELECT DISTINCT action FROM event WHERE actor = -2 ORDER BY 1" | tr '\n' ' ' | sed 's/ $//')"
same "an event for every re-key" $((per_day - 1)) \
    "$(rows "SELECT count(*) FROM event WHERE action = 'rekey'")"
same "a warning for every re-key" $((per_day - 1)) "$(grep -c 'rekey: device=' "$work/log")"
same "one secret used for each certificate it bought" \
    "$(rows "SELECT count(*) FROM certificate c JOIN holder h ON h.id = c.holder
	JOIN device d ON d.eui = h.name WHERE d.proofs = 2")" \
    "$(rows "SELECT count(*) FROM device WHERE secret_key IS NOT NULL")"
while read -r _ secret; do
	lacks "secret in the log" "$secret" "$work/log"
done <"$dir/secrets"

title "refusals"
kill -TERM "$smkid"
ended "$smkid"
same "smkid ends with 0" 0 "$ended"
same "rows of any minute, at most" 1 \
    "$(rows "SELECT max(n) <= 1000 FROM (SELECT count(*) AS n FROM refusal GROUP BY minute)")"
# 400 messages of 256 counts, of which one reason is not the database's.
same "nothing counted is lost" 1 "$(rows "SELECT sum(n) > 95000 FROM refusal")"
same "who is registered is counted by name" 1 \
    "$(rows "SELECT count(DISTINCT minute) >= 1 FROM refusal
	WHERE who = '00db123456780002' AND reason = 'held'")"
same "who is not, by address" 0 "$(rows "SELECT count(*) FROM refusal WHERE who LIKE '%ee'
	AND length(who) = 16")"
finish
