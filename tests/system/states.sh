#!/bin/sh
# The life cycle: every state and every action, through the command and in SQL on a copy of the
# same database. What is legal passes, all else is refused - the second time by the database.
#
#   states.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq sqlite3

make_home
up
true_that "export of the CA certificates" demo_chain

n=0
# one_in STATE: a new certificate in that state; its serial in serial, its name in name.
one_in() {
	n=$((n + 1))
	name=m$n
	meter "$(printf '00db12340000%04x' "$n")" digitalSignature "$name"
	case $1 in
	valid) ;;
	hold) ends 0 "hold" $smki hold "$serial" ;;
	revoked) ends 0 "revoke" $smki revoke "$serial" --reason superseded ;;
	esac
	same "state to begin with" "$1" "$(state_of "$serial")"
}

# events SERIAL: the actions of its history, in order.
events() {
	$smki --json show "$1" | jq -r '[.events[].action] | join(" ")'
}

title "every state, every action"
while read -r from action status to wants; do
	one_in "$from"
	before=$(events "$serial")
	if [ "$status" -eq 0 ]; then
		says "$serial $(echo "$wants" | tr _ ' ')" $smki "$action" "$serial"
	else
		refuses "$status" "$action of one $from" "$serial: certificate: state" \
		    $smki "$action" "$serial"
	fi
	same "$action of one $from leads to" "$to" "$(state_of "$serial")"
	case $wants in
	already* | -) same "$action of one $from writes no event" "$before" "$(events "$serial")" ;;
	*) same "$action of one $from writes an event" "$before $action" "$(events "$serial")" ;;
	esac
done <<'TABLE'
valid hold 0 hold hold
valid reactivate 0 valid already_valid
valid revoke 0 revoked revoked_unspecified
hold hold 0 hold already_hold
hold reactivate 0 valid valid
hold revoke 0 revoked revoked_unspecified
revoked hold 73 revoked -
revoked reactivate 73 revoked -
revoked revoke 0 revoked already_revoked_superseded
TABLE
same "pairs tried" 9 "$n"

title "reasons and dates"
while read -r reason; do
	one_in valid
	says "$serial revoked $reason" $smki revoke --reason "$reason" "$serial"
	same "reason in the list" "$reason" \
	    "$($smki --json show "$serial" | jq -r .reason)"
	says "$serial already revoked $reason" $smki revoke --reason "$reason" "$serial"
done <<'TABLE'
unspecified
keyCompromise
cACompromise
affiliationChanged
superseded
cessationOfOperation
privilegeWithdrawn
aACompromise
TABLE
refuses 73 "another reason afterwards" 'reason is not rewritten' \
    $smki revoke --reason superseded "$serial"
refuses 73 "a date afterwards" \
    'revoked already with no invalidity date: the invalidity date is not rewritten' \
    $smki revoke --invalid-since 2024-05-06 "$serial"
one_in valid
for reason in certificateHold removeFromCRL; do
	refuses 65 "revoke for $reason" 'RFC 5280 5.3.1' $smki revoke --reason "$reason" "$serial"
done
refuses 65 "no such reason" '"boredom" is no reason' $smki revoke --reason boredom "$serial"
refuses 65 "a date to come" 'invalidity date 2999-01-01T00:00:00Z is in the future' \
    $smki revoke --invalid-since 2999-01-01 "$serial"
refuses 65 "no date" '"yesterday" is no time' $smki revoke --invalid-since yesterday "$serial"
for date in 1970-01-01 19700101000000Z 1969-12-31T23:59:59Z 1950-01-01; do
	refuses 65 "a date that is none: $date" "\"$date\" is no time after 1970" \
	    $smki revoke --invalid-since $date "$serial"
done
ends 64 "a reason for a hold" $smki hold --reason superseded "$serial"
same "still" valid "$(state_of "$serial")"
says "$serial revoked keyCompromise" $smki revoke --reason key-compromise \
    --invalid-since 2024-05-06T07:08:09Z "$serial"
same "invalidity date" 2024-05-06T07:08:09Z \
    "$($smki --json show "$serial" | jq -r .invalidSince)"

one_in valid
says "$serial revoked unspecified" $smki revoke --invalid-since 1970-01-01T00:00:01Z "$serial"
same "the earliest invalidity date" 1970-01-01T00:00:01Z \
    "$($smki --json show "$serial" | jq -r .invalidSince)"

title "several at once"
one_in valid
a=$serial
one_in valid
b=$serial
one_in revoked
c=$serial
none=0102030405060708
ends 66 "one unknown among good ones" $smki hold "$a" "$none" "$b"
same "a result line each" "$a hold
$b hold" "$(cat "$work/stdout")"
same "one line for the unknown one" 1 "$(wc -l <"$work/stderr")"
has "it is named" "$none" "$work/stderr"
ends 73 "the first failure decides: illegal" $smki reactivate "$a" "$c" "$none" zz
ends 65 "the first failure decides: no serial" $smki hold zz "$c" "$none"
same "lines on standard error" 3 "$(wc -l <"$work/stderr")"
same "the others were tried" valid "$(state_of "$a")"
says "$b already hold
$b valid
$b already valid" sh -c "$smki hold $b && $smki reactivate $b $b"
upper=$(echo "$b" | tr a-f A-F | sed 's/../&:/g; s/:$//')
says "$b hold" $smki hold "$upper"
says "$b valid" $smki reactivate "$(echo "$b" | sed 's/../&-/g; s/-$//')"
printf '# two serials\n%s\n\n  \n%s\n' "$a" "$b" >"$work/serials"
says "$a hold
$b hold" $smki hold --from "$work/serials"
says "$a valid
$b valid" sh -c "$smki reactivate --from - <$work/serials"
printf '%s\n%s\nnot a serial\n' "$none" "$a" >"$work/serials"
ends 66 "first failure of a file" $smki hold --from "$work/serials"
same "the good one of the file" "$a hold" "$(cat "$work/stdout")"
refuses 66 "no such file" "$work/none" $smki hold --from "$work/none"
refuses 66 "nothing in a file" "$work/serials/none" $smki hold --from "$work/serials/none"
ends 66 "a file that is missing is told before anything is tried" $smki hold zz --from "$work/none"
same "and nothing else" 1 "$(wc -l <"$work/stderr")"
echo yy >"$work/serials"
ends 65 "the first failure decides: before the file" $smki hold zz --from "$work/serials"
same "both are told" 2 "$(wc -l <"$work/stderr")"
printf '\357\273\277%s\r\n \t# two\r\n%0300d\n\0\n\t%s \r\n' "$a" 0 "$b" >"$work/serials"
ends 65 "lines that are none" $smki reactivate --from "$work/serials"
same "they are named" "smki: $work/serials:3: line is over 255 octets
smki: $work/serials:4: holds a NUL" "$(cat "$work/stderr")"
same "all others are done" "$a valid
$b already valid" "$(cat "$work/stdout")"
ends 65 "in JSON" $smki --json reactivate --from "$work/serials"
same "an object each" "$a null
null $work/serials:3: line is over 255 octets
null $work/serials:4: holds a NUL
$b null" "$(jq -r '"\(.serial) \(.error)"' "$work/stdout")"
ends 64 "nothing named" $smki hold

title "a reader who leaves, a signal"
mkfifo "$work/fifo" "$work/lines"
# One who was there when it was opened, and is no more.
exec 4<>"$work/fifo"
exec 5>"$work/fifo" 4<&-
died() {
	env --default-signal=PIPE "$@" >&5
}
ends 75 "nobody reads the results" died $smki hold "$a" "$b"
same "that is told" "smki: standard output: Broken pipe" "$(cat "$work/stderr")"
same "all is done" "hold hold" "$(state_of "$a") $(state_of "$b")"
printf '%s\n%s\n' "$a" "$b" >"$work/serials"
ends 75 "nor those of a file" died $smki reactivate --from "$work/serials"
same "all is done" "valid valid" "$(state_of "$a") $(state_of "$b")"
ends 75 "a full disk" sh -c "$smki hold $a $b >/dev/full"
same "that is told" "smki: standard output: No space left on device" "$(cat "$work/stderr")"
same "all is done" "hold hold" "$(state_of "$a") $(state_of "$b")"
ends 141 "what only reads ends with its reader" died $smki list
same "and says nothing" '' "$(cat "$work/stderr")"
exec 5>&-
# so_far N: so many result lines are out.
so_far() {
	[ "$(wc -l <"$work/results")" -eq "$1" ]
}
: >"$work/results"
# A shell's background processes have INT switched off.
spawn changing env --default-signal=INT sh -c \
    "exec $smki reactivate --from '$work/lines' >'$work/results'"
exec 5>"$work/lines"
echo "$a" >&5
within 30 "a result before the next line" so_far 1
echo "$b" >&5
within 30 "and that of the next" so_far 2
kill -s INT "$changing"
ended "$changing"
exec 5>&-
same "ended by SIGINT" 130 "$ended"
same "all results are there" "$a valid
$b valid" "$(cat "$work/results")"

title "all of a device"
meter 00db1234000100aa digitalSignature dev-s
s=$serial
meter 00db1234000100aa keyAgreement dev-a
t=$serial
says "$t hold
$s hold" $smki hold --device 00DB:1234:0001:00AA
ends 0 "revoke one of them" $smki revoke "$s"
says "$t valid" $smki reactivate --device 00db1234000100aa
refuses 66 "a list that is not there" "$work/none: cannot be read" \
    $smki hold --device 00db1234000100aa --from "$work/none"
refuses 66 "nor beside serials" "$work/none: cannot be read" $smki hold "$t" --from "$work/none"
same "nothing was changed before it was missed" valid "$(state_of "$t")"
ends 73 "another reason than one has" $smki revoke --device 00db1234000100aa --reason superseded
same "the other one has it" "$t revoked superseded" "$(cat "$work/stdout")"
has "this one has not" "$s: certificate: revoked already for unspecified" "$work/stderr"
says "$t already revoked superseded
$s already revoked unspecified" $smki revoke --device 00db1234000100aa
ends 73 "the same again" $smki revoke --device 00db1234000100aa --reason superseded
same "the other one has it already" "$t already revoked superseded" "$(cat "$work/stdout")"
has "this one has not" "$s: certificate: revoked already for unspecified" "$work/stderr"
ends 73 "compromised afterwards" $smki revoke --device 00db1234000100aa --reason keyCompromise
same "none of them is" '' "$(cat "$work/stdout")"
has "each is told" "$t: certificate: revoked already for superseded" "$work/stderr"
refuses 73 "nothing left to hold" 'all of its certificates are revoked' \
    $smki hold --device 00db1234000100aa
refuses 66 "an unknown device" 00db123400ffffff $smki hold --device 00db123400ffffff
refuses 65 "no EUI-64" EUI-64 $smki hold --device 00db12

title "JSON"
one_in valid
ends 0 "hold" $smki --json hold "$serial"
same "what it says" "$serial hold certificateHold false" \
    "$(jq -r '"\(.serial) \(.state) \(.reason) \(.already)"' "$work/stdout")"
ends 73 "illegal" $smki --json reactivate "$c"
same "what it says of a failure" "$c conflict" \
    "$(jq -r '"\(.serial) \(.code)"' "$work/stdout" | tr A-Z a-z | sed 's/fail_//')"
same "one line for people" 1 "$(wc -l <"$work/stderr")"

title "the same in SQL, on a copy"
one_in valid
valid=$serial
one_in hold
hold=$serial
one_in revoked
revoked=$serial
copy=$work/copy.db
true_that "copy" sqlite3 "$home/db/smki.db" ".backup $copy"

# change SERIAL FROM TO ACTION REASON: as a program would, by its event; undone at the end.
change() {
	sqlite3 -bail "$copy" <<SQL 2>"$work/sql"
BEGIN;
INSERT INTO event(id, time, actor, action, ca, certificate, from_state, to_state, reason)
SELECT e.id + 1, e.time, 0, '$4', c.ca, c.id, $2, $3, $5
FROM certificate c, (SELECT id, time FROM event ORDER BY id DESC LIMIT 1) e
WHERE c.serial = x'$1';
SELECT state FROM certificate_now WHERE serial = x'$1';
ROLLBACK;
SQL
}
legal=0 tried=0
for pair in "0 $valid" "1 $hold" "2 $revoked"; do
	from=${pair%% *} serial=${pair#* }
	for to in 0 1 2; do
		case $to in
		0) reason=NULL ;;
		1) reason=6 ;;
		2) reason=4 ;;
		esac
		for action in hold reactivate revoke issue; do
			tried=$((tried + 1))
			got=$(change "$serial" "$from" "$to" "$action" "$reason")
			status=$?
			case "$from $to $action" in
			'0 1 hold' | '1 0 reactivate' | '0 2 revoke' | '1 2 revoke')
				legal=$((legal + 1))
				same "SQL: $action from $from to $to ($(cat "$work/sql"))" \
				    "0 $to" "$status $got"
				;;
			*)
				differ "SQL: $action from $from to $to" 0 "$status"
				;;
			esac
		done
	done
done
same "legal changes" "4 of 36" "$legal of $tried"

title "other ways round the life cycle, in SQL"
# forbids TEXT SQL
forbids() {
	sqlite3 -bail "$copy" "$2" >"$work/sql" 2>&1
	differ "refused: $2" 0 "$?"
	has "$2" "$1" "$work/sql"
}
row="serial = x'$revoked'"
forbids 'never changed' "UPDATE certificate SET issued_state = 1, issued_reason = 6 WHERE $row"
forbids 'never changed' "UPDATE OR REPLACE certificate SET issued_state = 0 WHERE $row"
forbids 'it is a view' "UPDATE certificate_now SET state = 0, reason = NULL WHERE $row"
forbids 'never changed' "UPDATE event SET to_state = 0, reason = NULL
    WHERE id = (SELECT event FROM certificate_now WHERE $row)"
forbids 'is not what its certificate is now' "INSERT INTO listed SELECT ca, event + 1, id, serial,
    2, 1, changed, NULL, shard FROM certificate_now WHERE serial = x'$valid'"
forbids 'still what it says' "DELETE FROM listed WHERE $row"
forbids 'never changed' "UPDATE listed SET reason = 1 WHERE $row"
forbids 'never changed' "UPDATE certificate SET serial = x'01' WHERE $row"
forbids 'never changed' "UPDATE certificate SET not_after = not_after + 1 WHERE $row"
forbids 'never deleted' "DELETE FROM certificate WHERE $row"
forbids 'never changed' "UPDATE certificate_der SET der = x'00'"
forbids 'never deleted' "DELETE FROM certificate_der"
forbids 'never changed' "UPDATE event SET time = time + 1"
forbids 'never deleted' "DELETE FROM event"
forbids 'life cycle is fixed' "INSERT INTO transition VALUES (2, 0, 'reactivate')"
forbids 'life cycle is fixed' "DELETE FROM transition"
same "the copy is as it was" "0 1 2" "$(sqlite3 "$copy" "SELECT group_concat(state, ' ') FROM
    (SELECT state FROM certificate_now WHERE serial IN (x'$valid', x'$hold', x'$revoked')
    ORDER BY id)")"
same "and sound" ok "$(sqlite3 "$copy" 'PRAGMA integrity_check')"
down
finish
