# What the system tests share: a temporary home, the daemons in it, small checks, and an end that
# leaves nothing behind. Sourced by each script, which is called with BUILD_ROOT SOURCE_ROOT.
#
# Sets: build, source, work (temporary folder), home, dir (what tools/demo.sh works in), smki.
# The first check that fails ends the script; skipping is exit 77.

build=$1 source=$2
PATH=$PATH:/usr/sbin:/sbin
export PATH LC_ALL=C TZ=Asia/Kathmandu
unset SMKI_HOME GLIBC_TUNABLES
umask 022
. "$source/tools/demo.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/smki-system.XXXXXX") || exit 1
chmod 755 "$work"
home=$work/home
dir=$work/out
mkdir "$dir"
smki="$build/smki --home $home"
python=/usr/bin/python3
checks=0
section=
pids=

# Processes of ours end with us, however we end.
clean() {
	status=$?
	trap - EXIT
	for p in $pids; do
		kill -TERM "$p" 2>/dev/null
	done
	for p in $pids; do
		demo_wait 20 gone "$p" || kill -KILL "$p" 2>/dev/null
	done
	wait
	rm -rf "$work"
	exit "$status"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

# gone PID: it has ended (a zombie has, too).
gone() {
	case $(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null) in
	'' | Z*) return 0 ;;
	esac
	return 1
}

# fail TEXT: what was expected did not happen.
fail() {
	echo "FAIL${section:+ ($section)}: $*"
	if [ -s "$work/log" ]; then
		echo '--- log of the daemons:'
		tail -n 30 "$work/log"
	fi
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}

# needs PROGRAM...: skip without them.
needs() {
	for p in "$@"; do
		command -v "$p" >/dev/null || skip "no $p here"
	done
}

title() {
	section=$*
	echo "== $section"
}

pass() {
	checks=$((checks + 1))
}

# same WHAT WANT GOT
same() {
	if [ "$2" != "$3" ]; then
		printf 'want: %s\ngot:  %s\n' "$2" "$3"
		fail "$1"
	fi
	pass
}

# differ WHAT NOT GOT
differ() {
	if [ "$2" = "$3" ]; then
		printf 'got twice: %s\n' "$3"
		fail "$1"
	fi
	pass
}

# has WHAT TEXT FILE: a line of FILE contains TEXT.
has() {
	if ! grep -qF -- "$2" "$3"; then
		printf 'want a line with: %s\ngot:\n' "$2"
		cat "$3"
		fail "$1"
	fi
	pass
}

# lacks WHAT TEXT FILE
lacks() {
	if grep -F -- "$2" "$3"; then
		fail "$1: contains $2"
	fi
	pass
}

# true_that WHAT COMMAND...
true_that() {
	what=$1
	shift
	if ! "$@" >"$work/stdout" 2>&1; then
		cat "$work/stdout"
		fail "$what: $*"
	fi
	pass
}

# false_that WHAT COMMAND...
false_that() {
	what=$1
	shift
	if "$@" >"$work/stdout" 2>&1; then
		cat "$work/stdout"
		fail "$what: $*"
	fi
	pass
}

# within SECONDS WHAT COMMAND...: it succeeds before the deadline.
within() {
	limit=$1 what=$2
	shift 2
	demo_wait "$limit" "$@" || fail "$what: not within $limit s: $*"
	pass
}

# ends STATUS WHAT COMMAND...: run it; its output is in $work/stdout and $work/stderr.
ends() {
	want=$1 what=$2
	shift 2
	"$@" >"$work/stdout" 2>"$work/stderr" </dev/null
	got=$?
	if [ "$got" -ne "$want" ]; then
		printf 'want: exit %s\ngot:  exit %s of %s\n' "$want" "$got" "$*"
		cat "$work/stdout" "$work/stderr"
		fail "$what"
	fi
	pass
}

# refuses STATUS WHAT TEXT COMMAND...: it ends so, says nothing on stdout and one line with TEXT
# on stderr.
refuses() {
	want=$1 what=$2 text=$3
	shift 3
	ends "$want" "$what" "$@"
	same "$what: nothing on standard output" '' "$(cat "$work/stdout")"
	same "$what: one line on standard error ($(cat "$work/stderr"))" 1 \
	    "$(wc -l <"$work/stderr")"
	has "$what" "$text" "$work/stderr"
}

# says WANT COMMAND...: done, and this is on its standard output.
says() {
	wanted=$1
	shift
	ends 0 "$*" "$@"
	same "$*" "$wanted" "$(cat "$work/stdout")"
}

# make_home [INIT OPTION...]
make_home() {
	"$build/smki" --home "$home" init --http 127.0.0.1:0 --https 127.0.0.1:0 "$@" \
	    >"$work/init.out" 2>&1 || {
		cat "$work/init.out"
		fail "smki init"
	}
}

# started PID COMMAND...: COMMAND succeeds, or PID has ended and it never will.
started() {
	started_pid=$1
	shift
	"$@" && return 0
	if gone "$started_pid"; then
		fail "process $started_pid ended before it served"
	fi
	return 1
}

# spawn NAME COMMAND...: in the background; its pid in NAME and among those that clean ends.
spawn() {
	spawn_name=$1
	shift
	"$@" >>"$work/log" 2>&1 </dev/null &
	pids="$pids $!"
	eval "$spawn_name=$!"
}

# up: the daemons under smki run; sets run and http.
up() {
	rm -f "$home/run/addresses"
	# shellcheck disable=SC2086
	spawn run $smki run
	demo_wait 30 started "$run" demo_answers "$home" || fail "the daemons do not answer"
}

# ended PID: its exit status is in ended; it is no longer ours to stop.
ended() {
	demo_wait 30 gone "$1" || fail "process $1 does not end"
	wait "$1"
	ended=$?
	left=
	for p in $pids; do
		[ "$p" = "$1" ] || left="$left $p"
	done
	pids=$left
}

# down: by SIGTERM; all of it ends with 0.
down() {
	kill -TERM "$run"
	ended "$run"
	same "smki run ends with 0 on SIGTERM" 0 "$ended"
}

# child_of PID PROGRAM: pid of the process of that name below it.
child_of() {
	pgrep -P "$1" -x "$2"
}

# meter EUI64 USAGE NAME [ISSUE OPTION...]: key, request and certificate $dir/NAME.pem; its serial
# in serial, as smki prints it.
meter() {
	meter_eui=$1 meter_use=$2 meter_name=$3
	shift 3
	demo_meter "$meter_eui" "$meter_use" "$meter_name" || fail "openssl makes no request"
	# shellcheck disable=SC2086
	ends 0 "issue $meter_name" $smki issue --out "$dir/$meter_name.pem" "$@" \
	    "$dir/$meter_name.csr"
	serial=$(demo_serial "$dir/$meter_name.pem" | tr A-F a-f)
}

# organisation NAME UNIQUE-ID BIT: key and request $dir/NAME.{key,csr} (DER) of a supplier for the key
# usage of this bit. An x500UniqueIdentifier is a BIT STRING, which openssl req cannot write: part by
# part, then.
organisation() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$dir/$1.key"
	point=$(openssl ec -in "$dir/$1.key" -pubout -outform DER 2>/dev/null | tail -c 65 |
	    od -An -v -tx1 | tr -d ' \n')
	cat >"$dir/$1.cnf" <<CNF
asn1 = SEQUENCE:info
[request]
info = SEQUENCE:info
algorithm = SEQUENCE:ecdsa
signature = FORMAT:HEX,BITSTRING:\$ENV::signature
[ecdsa]
oid = OID:ecdsa-with-SHA256
[info]
version = INTEGER:0
subject = SEQUENCE:subject
key = SEQUENCE:key
attributes = IMPLICIT:0,SET:attributes
[subject]
ou = SET:rdn1
unique = SET:rdn2
[rdn1]
pair = SEQUENCE:pair1
[pair1]
oid = OID:2.5.4.11
value = PRINTABLESTRING:02
[rdn2]
pair = SEQUENCE:pair2
[pair2]
oid = OID:2.5.4.45
value = FORMAT:HEX,BITSTRING:$2
[key]
algorithm = SEQUENCE:ec
point = FORMAT:HEX,BITSTRING:$point
[ec]
oid = OID:id-ecPublicKey
curve = OID:prime256v1
[attributes]
one = SEQUENCE:attribute
[attribute]
oid = OID:extReq
values = SET:values
[values]
extensions = SEQUENCE:extensions
[extensions]
usage = SEQUENCE:usage
[usage]
oid = OID:keyUsage
critical = BOOLEAN:TRUE
value = OCTWRAP,FORMAT:BITLIST,BITSTRING:$3
CNF
	signature=00 openssl asn1parse -genconf "$dir/$1.cnf" -noout -out "$dir/$1.info"
	openssl dgst -sha256 -sign "$dir/$1.key" -out "$dir/$1.sig" "$dir/$1.info"
	signature=$(od -An -v -tx1 "$dir/$1.sig" | tr -d ' \n')
	export signature
	sed -i 's/^asn1 = .*/asn1 = SEQUENCE:request/' "$dir/$1.cnf"
	openssl asn1parse -genconf "$dir/$1.cnf" -noout -out "$dir/$1.csr"
}

# enrolling EUI64 [DEVICE ADD OPTION...]: a meter in the register; its secret, if it has one, is in
# secret, and where curl's -K finds it in $dir/EUI64.curl.
enrolling() {
	enrolling_eui=$1
	shift
	# shellcheck disable=SC2086
	ends 0 "device add $enrolling_eui" $smki device add "$enrolling_eui" \
	    --hw-type 1.3.6.1.4.1.32473.1.1 "$@"
	secret=$(awk '$2 == "secret" { print $3 }' "$work/stdout")
	demo_secret "$enrolling_eui" "$secret"
}

# gets STATUS WHAT COMMAND...: one of demo.sh's requests, and the HTTP status that it prints.
gets() {
	gets_want=$1 gets_what=$2
	shift 2
	gets_got=$("$@")
	[ "$gets_got" = "$gets_want" ] || cat "$dir/answer"
	same "$gets_what" "$gets_want" "$gets_got"
}

# of_key CERT KEY: the certificate is this key's.
of_key() {
	same "$1 is of $2" "$(openssl pkey -in "$dir/$2.key" -pubout)" \
	    "$(openssl x509 -in "$dir/$1.pem" -noout -pubkey)"
}

# state_of SERIAL: as smki list --json says.
state_of() {
	$smki --json list | jq -r --arg s "$1" 'select(.serial == $s) | .state'
}

# The end of each script.
finish() {
	section=
	[ "$checks" -gt 0 ] || fail "no check was made"
	echo "$checks checks"
}
