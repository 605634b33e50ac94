#!/bin/sh
# The TLS listener under those who mean no good: slow ones by the thousand, malformed ones, guessers;
# what a flood of refused requests leaves in the database; enrolments that meet.
#
#   abuse.sh BUILD_ROOT SOURCE_ROOT EST_LOAD [SANITIZERS]
#
# SMKI_LONG=1 in the environment: 102,000 refused requests and 1,000 races, instead of 6,000 and 50.
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq sqlite3
est_load=$3 sanitizers=${4:-none}
refused=6000 races=50
[ "${SMKI_LONG:-0}" = 0 ] || refused=102000 races=1000

hw=1.3.6.1.4.1.32473.1.1
oui=00db12346e0000

# conf LINE...: the TLS listener's section.
conf() {
	sed -i '/^\[https\]/,/^$/d' "$home/smki.conf"
	printf '\n[https]\nlisten = 127.0.0.1:0\n' >>"$home/smki.conf"
	for line in "$@"; do
		echo "$line" >>"$home/smki.conf"
	done
}

rise() {
	up
	demo_https "$home" || fail "run/addresses names no TLS listener"
}

# abuse WORD
abuse() {
	"$python" -B "$source/tests/system/abuse.py" "$1" "$https" "$http" "$dir" >"$work/abuse" 2>&1 || {
		tail -n 20 "$work/abuse"
		fail "$1"
	}
	grep ' s$' "$work/abuse"
	checks=$((checks + $(tail -n 1 "$work/abuse")))
}

# sql TEXT: asked of the database, read only.
sql() {
	sqlite3 -readonly -cmd '.timeout 10000' "$home/db/smki.db" "$1"
}

# refusals: those that the metrics count, all together.
refusals() {
	curl -fsS "http://$http/metrics" | awk '/^smki_refusals_total/ { n += $2 } END { print n }'
}

# reason NAME: those of one reason.
reason() {
	curl -fsS "http://$http/metrics" | awk -v name="$1" '
		$1 == "smki_refusals_total{reason=\"" name "\"}" { print $2 }'
}

# memory: what smki-httpd and smkid had at most, in KiB.
memory() {
	for name in smki-httpd smkid; do
		awk '/^VmHWM/ { print $2 }' "/proc/$(child_of "$run" "$name")/status"
	done | paste -sd ' '
}

# house_in_order: nothing ended, and nobody is left on the line.
house_in_order() {
	[ "$(curl -fsS "http://$http/metrics" |
	    awk '$1 == "smki_http_connections{listener=\"https\"}" { print $2 }')" = 0 ]
}

title "home"
make_home
conf 'timeout = 60s'
rise
true_that "export of the CA certificates" demo_chain
demo_key rogue
openssl req -x509 -new -key "$dir/rogue.key" -subj /CN=rogue -days 2 -out "$dir/rogue.pem"
: >"$dir/secrets"
for nn in 01 02 03 04; do
	ends 0 "device $nn" $smki device add "$oui$nn" --hw-type "$hw" --secret
	awk '$2 == "secret" { print substr($1, 15), $3 }' "$work/stdout" >>"$dir/secrets"
	demo_meter "$oui$nn" digitalSignature "$nn"
done

title "a thousand slow ones"
abuse slow
within 20 "all are gone" house_in_order
down
conf 'workers = 2'
rise
title "a full house"
abuse crowd
within 20 "all are gone" house_in_order
down

title "malformed"
conf 'timeout = 2s'
rise
pids_before=$(child_of "$run" smki-httpd)
for word in garbage lengths floods pipelines; do
	abuse "$word"
done
within 20 "all are gone" house_in_order
same "the same process" "$pids_before" "$(child_of "$run" smki-httpd)"
down

title "guessers"
conf
rise
base=$(sql 'SELECT coalesce(sum(n), 0) FROM refusal')
abuse secrets

title "races"
"$est_load" devices "$races" >"$dir/races.csv"
ends 0 "import" $smki device import "$dir/races.csv"
before=$(sql 'SELECT count(*) FROM certificate')
ends 0 "races" "$est_load" race "$https" "$races" "$dir/races.csv"
cat "$work/stdout"
same "one certificate a race" $((2 * races)) \
    $(($(sql 'SELECT count(*) FROM certificate') - before))
same "none without its event" $((2 * races)) "$(sql "SELECT count(*) FROM event
    WHERE action = 'issue' AND certificate > (SELECT max(id) - $((2 * races)) FROM certificate)")"

title "strangers"
addresses=3000
# all_counted: what the metrics count since the start is in the database, but for what has no form.
all_counted() {
	counted=$(sql 'SELECT reason, sum(n) FROM refusal GROUP BY reason' | paste -sd ' ')
	[ $(($(sql 'SELECT coalesce(sum(n), 0) FROM refusal') - base)) -eq \
	    $(($(refusals) - $(reason form))) ]
}
demo_wait 30 all_counted || fail "not all are in the database: $base before, $counted"
before_refused=$(refusals) before_form=$(reason form)
before_events=$(sql 'SELECT count(*) FROM event')
before_certificates=$(sql 'SELECT count(*) FROM certificate')
before_rows=$(sql 'SELECT count(*) FROM refusal')
echo "memory at most: $(memory) KiB"
begun=$(date +%s)
ends 0 "flood" "$est_load" flood "$https" "$refused" $addresses "$dir/rogue.pem" "$dir/rogue.key" \
    "${oui}02"
cat "$work/stdout"
ended=$(date +%s)
same "all are counted in the metrics" "$refused" $(($(refusals) - before_refused))
same "of no form" "$(awk '/^flood:/ { print $9 }' "$work/stdout")" $(($(reason form) - before_form))
demo_wait 30 all_counted || fail "not all are in the database: $base before, $counted"
rows=$(($(sql 'SELECT count(*) FROM refusal') - before_rows))
# What the front counted is told some seconds later.
minutes=$(($(date +%s) / 60 - begun / 60 + 1))
most=$(sql 'SELECT max(c) FROM (SELECT count(*) AS c FROM refusal GROUP BY minute)')
echo "$refused refused requests from $addresses addresses in $((ended - begun)) s: $rows rows more" \
    "in $minutes minutes, $most at most in one"
true_that "rows of refusals" test "$rows" -le $((1000 * minutes))
true_that "no minute has more than its rows" test "$most" -le 1000
# 2,250 addresses in so few minutes are more than have rows of their own.
[ "$minutes" -gt 2 ] || true_that "some have no name" \
    test "$(sql "SELECT count(*) FROM refusal WHERE who = ''")" -gt 0
same "no event" "$before_events" "$(sql 'SELECT count(*) FROM event')"
same "no certificate" "$before_certificates" "$(sql 'SELECT count(*) FROM certificate')"
echo "memory at most: $(memory) KiB"
# A sanitizer's own memory would be measured, too.
for most in $([ "$sanitizers" != none ] || memory); do
	true_that "memory is bounded" test "$most" -lt 131072
done
true_that "the log is, too" test "$(wc -c <"$work/log")" -lt 4000000
lacks "nothing broke" 'failed inside' "$work/log"
lacks "for no sanitizer" 'runtime error' "$work/log"
down
finish
