#!/bin/sh
# smki batch: a zip or a folder of requests, each to a certificate or a reason, in the order given;
# killed on the way and begun again, it ends with one certificate a request; what is no honest zip
# is refused as a whole.
#
#   batch.sh BUILD_ROOT SOURCE_ROOT BENCH_REQUESTS [SANITIZERS]
#
# SMKI_LONG=1 in the environment: batches of 50,000 are killed on the way, instead of 3,000.
# SMKI_SEED=N: at other points.
set -u
. "$2/tests/system/lib.sh"
requests=$3 sanitizers=${4:-none}
n=3000 seed=${SMKI_SEED:-$$}
[ "${SMKI_LONG:-0}" = 0 ] || n=50000
memory=102400 # KiB, of each side
needs openssl pgrep jq

make_home
up

# zip_of ZIP PYTHON: a zip made by a program that sees z (the open ZipFile).
zip_of() {
	$python - "$1" <<END || fail "no zip"
import sys, zipfile, os, glob, struct
z = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)
d = '$work/requests'
$2
z.close()
END
}

issued() {
	$smki --json list | wc -l
}

# certificates OUT: how many files
certificates() {
	find "$1/certificates" -name '*.pem' 2>/dev/null | wc -l
}

title "a zip with two bad ones among them"
mkdir "$work/requests"
"$requests" "$work/requests" 40 || fail "no requests"
zip_of "$work/a.zip" "
z.writestr('folder/', '')
for i, f in enumerate(sorted(glob.glob(d + '/*.csr'), reverse=True)):
    z.write(f, 'folder/m' + os.path.basename(f))
    if i == 9: z.writestr('bad, \"one\".csr', b'0\\x03abc')
    if i == 19: z.write(f, 'again.csr')
"
before=$(issued)
ends 65 "batch" $smki batch "$work/a.zip"
same "what is told" "42 requests: 40 issued, 1 already, 1 refused; $work/a.zip.out/report.csv" \
    "$(cat "$work/stdout")"
same "certificates in the database" $((before + 40)) "$(issued)"
report=$work/a.zip.out/report.csv
same "lines of the report" 43 "$(wc -l <"$report")"
$python - "$report" "$work/a.zip" <<'END' || fail "the report"
import sys, csv, zipfile
rows = list(csv.reader(open(sys.argv[1], newline='')))
names = [n for n in zipfile.ZipFile(sys.argv[2]).namelist() if not n.endswith('/')]
assert rows[0] == ['number', 'name', 'result', 'serial', 'file', 'reason'], rows[0]
assert [r[1] for r in rows[1:]] == names
assert [int(r[0]) for r in rows[1:]] == list(range(1, len(names) + 1))
bad = [r for r in rows[1:] if r[2] == 'refused']
assert len(bad) == 1 and bad[0][1] == 'bad, "one".csr' and 'csr: ' in bad[0][5], bad
# Both are under way at once: which of the two is the one that issues is nobody's promise.
twice = [r for r in rows[1:] if r[1] in ('folder/m000021.csr', 'again.csr')]
assert sorted(r[2] for r in twice) == ['already', 'issued'], twice
assert twice[0][3] == twice[1][3], twice
END
pass
demo_chain || fail "no CA certificates"
for f in "$work"/a.zip.out/certificates/*.pem; do
	true_that "openssl accepts $f" demo_verify "$f"
done
key_of_request=$(openssl req -inform DER -in "$work/requests/000040.csr" -noout -pubkey)
same "the certificate is for the request's key" "$key_of_request" \
    "$(openssl x509 -in "$work/a.zip.out/certificates/00001-folder_m000040.csr.pem" -noout -pubkey)"

title "the same again, another into the same folder"
ends 65 "batch again" $smki --json batch "$work/a.zip"
same "nothing new" 41 "$(jq -r .result "$work/stdout" | grep -c already)"
same "nothing new in the database" $((before + 40)) "$(issued)"
zip_of "$work/b.zip" "z.write(d + '/000001.csr', 'x.csr')"
ends 65 "batch into it" $smki batch --out "$work/a.zip.out/" "$work/a.zip"
refuses 73 "another batch" "is the output of another batch" $smki batch --out "$work/a.zip.out" \
    "$work/b.zip"
mkdir "$work/other"
echo >"$work/other/file"
refuses 73 "a folder of somebody's" "is no output of a batch" $smki batch --out "$work/other" \
    "$work/b.zip"

mkdir "$work/empty"
ends 0 "an empty folder" sh -c "umask 077; $smki batch --out '$work/empty' '$work/b.zip'"
same "one mode for all files, whatever the umask" 644 \
    "$(find "$work/empty" -type f -exec stat -c %a {} + | sort -u)"
same "nothing is left of making it" "$work/empty" "$(echo "$work"/empty*)"
mkdir -m 700 "$work/own"
mkdir "$work/own/certificates" # of a run that was killed there
own=$(stat -c '%a %i' "$work/own")
ends 0 "an empty folder is the one it was" $smki batch --out "$work/own" "$work/b.zip"
same "its mode and number" "$own" "$(stat -c '%a %i' "$work/own")"
mkdir -p "$work/somebody/certificates"
echo >"$work/somebody/certificates/00001-x.csr.pem"
refuses 73 "certificates of nobody knows which" "is no output of a batch" $smki batch \
    --out "$work/somebody" "$work/b.zip"
mkdir "$work/dot" "$work/behind"
ends 0 "an empty folder by the name ." sh -c "cd '$work/dot' && $smki batch --out . ../b.zip"
same "its certificate" 1 "$(certificates "$work/dot")"
ln -s behind "$work/link"
ends 0 "an empty folder behind a link" $smki batch --out "$work/link" "$work/b.zip"
true_that "the link is still one" test -L "$work/link"
same "its certificate" 1 "$(certificates "$work/behind")"
rm -r "$work/own/certificates"
ends 0 "its certificates were taken away" $smki batch --out "$work/own" "$work/b.zip"
same "written anew" 1 "$(certificates "$work/own")"
mv "$work/own/certificates" "$work/aside"
ln -s "$work/aside" "$work/own/certificates"
refuses 73 "a link in their place" "is a file or a link" $smki batch --out "$work/own" "$work/b.zip"
rm "$work/own/certificates"
echo >"$work/own/certificates"
refuses 73 "a file in their place" "is a file or a link" $smki batch --out "$work/own" "$work/b.zip"

title "two at once into one new folder"
for i in 1 2 3 4 5; do
	spawn one $smki batch --out "$work/at-once.$i" "$work/b.zip"
	spawn two $smki batch --out "$work/at-once.$i" "$work/b.zip"
	for p in "$one" "$two"; do
		ended "$p"
		true_that "done, or the other is at work" test "$ended" = 0 -o "$ended" = 73
	done
	same "its certificate" 1 "$(certificates "$work/at-once.$i")"
done
lacks "none says that it is somebody's" 'is no output of a batch' "$work/log"
same "nothing is left of making them" 5 "$(find "$work" -maxdepth 1 -name 'at-once*' | wc -l)"

title "a profile or a CA that none of it could have"
refuses 66 "no such profile" "profile nonsense: there is none" $smki batch --profile nonsense \
    "$work/b.zip"
refuses 77 "the ceremony's profile" "ceremony verbs only" $smki batch --profile issuing-ca \
    "$work/b.zip"
refuses 66 "no such CA" "ca nowhere: there is no such CA" $smki batch --ca nowhere "$work/b.zip"
refuses 77 "the root" "ca root: a root signs" $smki batch --ca root "$work/b.zip"
true_that "no output" test ! -e "$work/b.zip.out"

title "the output of another batch that issued nothing"
zip_of "$work/useless.zip" "z.writestr('x.csr', b'0')"
ends 65 "nothing issued" $smki batch --out "$work/taken" "$work/useless.zip"
ends 0 "taken over" $smki batch --out "$work/taken" "$work/b.zip"
same "one certificate" 1 "$(certificates "$work/taken")"
has "its report" '1,"x.csr",already,' "$work/taken/report.csv"
refuses 73 "not back" "is the output of another batch" $smki batch --out "$work/taken" \
    "$work/useless.zip"

title "where the output is"
mkdir "$work/reqs"
cp "$work/requests/000006.csr" "$work/reqs/a.csr"
ln -s reqs "$work/alias"
ln -s "$work/reqs" "$work/requests/inside"
before=$(issued)
for out in reqs reqs/ reqs/res alias/res reqs/../reqs/res requests/inside/res; do
	for in in reqs alias/ reqs/.; do
		refuses 65 "--out $out $in" "lies in the folder of the requests" $smki batch \
		    --out "$work/$out" "$work/$in"
	done
done
refuses 65 "the root" "name the output with --out" $smki batch /
refuses 66 "no folder to make it in" "No such file" $smki batch --out "$work/nope/x" "$work/reqs"
refuses 66 "a file as a folder" "Not a directory" $smki batch --out "$work/a.zip/x" "$work/b.zip"
ends 64 "no name" $smki batch --out "" "$work/reqs"
same "nothing is made" "a.csr" "$(ls -A "$work/reqs")"
same "nothing is issued" "$before" "$(issued)"
rm "$work/requests/inside"
# A folder in which one stands has a name, too.
for in in . ./ ../reqs/. deep/..; do
	mkdir "$work/reqs/deep"
	[ "$in" = deep/.. ] || rmdir "$work/reqs/deep"
	case $in in
	deep/..) want=65 ;; # the folder is no request
	*) want=0 ;;
	esac
	rm -rf "$work/reqs.out"
	# shellcheck disable=SC2016
	ends "$want" "batch $in" sh -c 'cd "$1" && shift && exec "$@"' sh "$work/reqs" $smki batch "$in"
	same "batch $in: beside it" "$((want == 0))" "$(certificates "$work/reqs.out")"
	[ ! -d "$work/reqs/deep" ] || rmdir "$work/reqs/deep"
	same "batch $in: nothing in it" "a.csr" "$(ls -A "$work/reqs")"
done

title "names"
long=$(printf '%0248d' 0)
zip_of "$work/names.zip" "
z.write(d + '/000001.csr', 'z\u00e4hler.csr')
z.write(d + '/000002.csr', '\u00e4' * 125 + 'x.csr')
z.write(d + '/000003.csr', '$long' + 'abc.csr')
z.write(d + '/000004.csr', '$long' + 'abd.csr')"
ends 0 "beyond ASCII, and as long as they may be" $smki batch "$work/names.zip"
same "a file each" 4 "$(certificates "$work/names.zip.out")"
true_that "by its name" test -s \
    "$work/names.zip.out/certificates/$(printf '00001-z\303\244hler.csr.pem')"
true_that "whole characters" sh -c "ls '$work/names.zip.out/certificates' | iconv -f UTF-8 -t UTF-8"
ends 0 "again" $smki batch "$work/names.zip"

title "names that a spreadsheet takes for a formula"
zip_of "$work/cells.zip" "
names = ['=1+1.csr', '+1.csr', '-1.csr', '@a.csr', ' =1.csr', '\\uff1d1.csr', '\\uff0b1.csr',
    '\\uff0d1.csr', '\\uff201.csr', '\\'a.csr', '\\'=1.csr', ' \\'a.csr', 'a;=1+1;b.csr',
    'a; @1;\\'b.csr', 'a=1-1@;.csr', 'd/=1.csr', 'plain.csr', 'a,\"=1.csr']
for n in names: z.write(d + '/000005.csr', n)"
ends 0 "formulas" $smki batch "$work/cells.zip"
$python - "$work/cells.zip.out/report.csv" "$work/cells.zip" <<'END' || fail "cells"
import sys, csv, re, zipfile
report = open(sys.argv[1], newline='', encoding='utf-8').read()
# As a spreadsheet of either kind of country splits it.
for row in list(csv.reader(report.splitlines())) + \
        [l.replace('"', '').split(';') for l in report.splitlines()]:
    for cell in row:
        assert cell.lstrip(' ')[:1] not in tuple('=+-@\uff1d\uff0b\uff0d\uff20'), row
rows = list(csv.DictReader(report.splitlines()))
true = [re.sub("(^|;)'", r'\1', r['name']) for r in rows]
assert true == zipfile.ZipFile(sys.argv[2]).namelist(), true
assert [r['name'] for r in rows][-3:] == ['d/=1.csr', 'plain.csr', 'a,"=1.csr'], rows
END
pass
ends 0 "and as JSON" $smki --json batch "$work/cells.zip"
same "as they are" '=1+1.csr' "$(jq -r 'select(.number == 1) | .name' "$work/stdout")"

title "what was made of the output"
victim=$work/a.zip.out/certificates/00001-folder_m000040.csr.pem
cp "$victim" "$work/true.pem"
# The key is the request's, the certificate is nobody's.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -days 2 \
    -keyout "$work/x.key" -out "$work/x.pem" 2>/dev/null
echo "$key_of_request" >"$work/victim.pub"
openssl x509 -new -force_pubkey "$work/victim.pub" -subj /CN=forged -days 2 -CA "$work/x.pem" \
    -CAkey "$work/x.key" -out "$victim" 2>/dev/null
false_that "forged" cmp "$victim" "$work/true.pem"
rm "$work/a.zip.out/certificates/"00002-*
echo rubbish >"$(echo "$work/a.zip.out/certificates/"00003-*)"
ln -s "$work/outside" "$work/a.zip.out/certificates/.link"
mv "$work/a.zip.out/certificates/.link" "$(echo "$work/a.zip.out/certificates/"00004-*)"
ends 65 "again" $smki batch "$work/a.zip"
true_that "the true one" cmp "$victim" "$work/true.pem"
for f in "$work"/a.zip.out/certificates/*.pem; do
	true_that "openssl accepts $f" demo_verify "$f"
done
true_that "no link is followed" test ! -e "$work/outside" -a \
    ! -L "$(echo "$work/a.zip.out/certificates/"00004-*)"
ln -s "$work/outside" "$work/a.zip.out/certificates/.new"
ends 65 "none in the place of a new one" $smki batch "$work/a.zip"
true_that "no link is followed" test ! -e "$work/outside"
ends 0 "revoked meanwhile" $smki revoke "$(demo_serial "$victim")"
ends 73 "again" $smki --json batch "$work/a.zip"
same "a reason" "refused true" "$(jq -r 'select(.number == 1) |
    "\(.result) \(.reason | contains("revoked"))"' "$work/stdout")"
true_that "nothing half made" test ! -e "$work/a.zip.out/certificates/.new"
true_that "no file of the refused" test ! -e "$victim"
# files_told OUT: the report's files are those that stand there, all of them.
files_told() {
	$python - "$1" <<'END' || fail "files of $1 and its report"
import sys, csv, os
rows = csv.DictReader(open(sys.argv[1] + '/report.csv', newline=''))
told = sorted(r['file'] for r in rows if r['file'])
there = sorted(f for f in os.listdir(sys.argv[1] + '/certificates') if f != '.link')
assert told == there, (told, there)
END
	pass
}
files_told "$work/a.zip.out"
# A report from before is gone before the first file is: here the second's cannot be removed.
ends 0 "another one revoked" $smki revoke "$(demo_serial \
    "$(echo "$work/a.zip.out/certificates/"00002-*)")"
second=$(echo "$work/a.zip.out/certificates/"00002-*)
rm "$second"
mkdir "$second"
refuses 75 "what cannot be removed" "Is a directory" $smki batch "$work/a.zip"
true_that "no report of what is no more" test ! -e "$report"
rmdir "$second"
ends 73 "and once more" $smki batch "$work/a.zip"
files_told "$work/a.zip.out"

title "a full disk"
# The shell counts 512 octets: less than a certificate has.
# shellcheck disable=SC2016
full='trap "" XFSZ; ulimit -f 1; exec "$@"'
refuses 75 "a full disk" "the same command goes on" sh -c "$full" sh $smki batch --out "$work/full" \
    "$work/b.zip"
same "nothing half made" '' "$(ls -A "$work/full/certificates")"
true_that "no report" test ! -e "$work/full/report.csv"
ends 0 "then with room" $smki batch --out "$work/full" "$work/b.zip"

title "refused as a whole"
# refused WHAT TEXT PYTHON
refused() {
	rm -f "$work/bad.zip"
	zip_of "$work/bad.zip" "$3"
	refuses 65 "$1" "$2" $smki batch "$work/bad.zip"
	same "$1: nothing issued" "$now" "$(issued)"
	true_that "$1: no output" test ! -e "$work/bad.zip.out"
}
now=$(issued)
fresh="
import subprocess
z.write(d + '/000001.csr', 'first.csr')
"
refused "a zip bomb" "is over" "$fresh
z.writestr('bomb.csr', b'0' * 50000000)"
refused "a path outside" "leads out of the zip" "$fresh
z.writestr('../../etc/x.csr', b'0')"
refused "an absolute path" "leads out of the zip" "$fresh
z.writestr(zipfile.ZipInfo('/etc/x.csr'), b'0')"
refused "a name twice" "is there twice" "
import warnings
warnings.simplefilter('ignore')
z.write(d + '/000001.csr', 'x.csr')
z.write(d + '/000002.csr', 'x.csr')"
refused "50,001 requests" "more than 50000" "
for i in range(50001): z.writestr('%d.csr' % i, b'0')"
# What the end record says of their number is not believed.
refused "records by the hundred thousand" "more than 100000" "
z.close()
at = os.path.getsize(sys.argv[1])
record = b'PK\1\2' + struct.pack('<6H3I5H2I', 20, 20, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0) + b'x'
with open(sys.argv[1], 'wb') as f:
    f.write(record * 100001)
    f.write(b'PK\5\6' + struct.pack('<4H2IH', 0, 0, 1, 1, len(record), 0, 0))"
refused "a link" "is no regular file" "$fresh
i = zipfile.ZipInfo('link.csr'); i.create_system = 3; i.external_attr = 0o120777 << 16
z.writestr(i, '/etc/passwd')"
refused "an empty one" "holds no request" ""
refused "an empty one with a comment" "holds no request" "z.comment = b'nothing in it'"
refused "folders only" "holds no request" "z.writestr('folder/', '')"
refused "a line end in a name" "is not allowed in a name" "$fresh
z.writestr('a\\nb.csr', b'0')"
for c in 0080 009f 2028 2029 200e 200f 061c 202a 202e 2066 2069; do
	refused "U+$c in a name" "is not allowed in a name" "$fresh
z.writestr('a\\u${c}b.csr', b'0')"
done
head -c 300 /dev/zero >"$work/bad.zip"
refuses 65 "no zip at all" "bad.zip" $smki batch "$work/bad.zip"
: >"$work/bad.zip"
refuses 65 "no octet" "holds no request" $smki batch "$work/bad.zip"
mkdir "$work/nothing" "$work/linked" "$work/barred"
# With a sanitizer: no complaint either.
refuses 65 "an empty folder" "holds no request" $smki batch "$work/nothing"
ln -s ../requests/000001.csr "$work/linked/a.csr"
refuses 65 "a link in a folder" "a.csr: is no regular file" $smki batch "$work/linked"
$python -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \
    "$work/linked/0.csr"
refuses 65 "a socket in a folder" "0.csr: is no regular file" $smki batch "$work/linked"
cp "$work/requests/000001.csr" "$work/barred/a.csr"
chmod 0 "$work/barred/a.csr"
stranger=
if [ "$(id -u)" -eq 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups "$build/smki" \
    --version >/dev/null 2>&1; then
	stranger='setpriv --reuid=65534 --regid=65534 --clear-groups'
fi
if [ "$(id -u)" -ne 0 ] || [ -n "$stranger" ]; then
	refuses 77 "a file that one may not read" "a.csr: Permission denied" $stranger $smki batch \
	    "$work/barred"
	chmod 0 "$work/barred"
	refuses 77 "a folder that one may not read" "Permission denied" $stranger $smki batch \
	    "$work/barred"
	chmod 755 "$work/barred"
fi
refuses 66 "no such file" "No such file" $smki batch "$work/none.zip"
refuses 66 "a file as a folder" "Not a directory" $smki batch "$work/b.zip/x"
mkfifo "$work/pipe"
refuses 65 "a pipe" "neither a zip file nor a folder" $smki batch "$work/pipe"

# random N: 1..N, by the seed.
random() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	random=$((1 + seed / 1024 % $1))
}
# highest PID: memory it had at most, in KiB; nothing when it is gone.
highest() {
	awk '/^VmHWM/ { print $2 }' "/proc/$1/status" 2>/dev/null
}
# bounded WHO KIB: a sanitizer's own memory would be measured, too.
bounded() {
	echo "$1: at most $2 KiB"
	[ "$sanitizers" != none ] || true_that "memory of $1" test "$2" -lt $memory
}
# begin OUT INPUT: batch in the background.
begin() {
	out=$1
	touch "$work/begun"
	# shellcheck disable=SC2086
	$smki batch --out "$1" "$2" >"$work/batch.log" 2>&1 &
	batch=$!
}
# passed N: this run has written so many, or is at its end.
passed() {
	[ "$(find "$out/certificates" -name '*.pem' -newer "$work/begun" 2>/dev/null |
	    wc -l)" -ge "$1" ] || gone "$batch"
}
# killed INPUT OUT SIGNAL: the client at three points, smkid at one by this signal; then to its end.
# In a short batch they are early ones: the rest must take longer than it takes to see the point.
killed() {
	before=$(issued)
	points=$((n / 10))
	[ "$n" -lt 50000 ] || points=$((n * 8 / 10))
	for run_n in 1 2 3; do
		begin "$2" "$1"
		random "$points"
		within 600 "$random certificates" passed "$random"
		client=$(highest "$batch")
		kill -KILL "$batch" 2>/dev/null
		wait "$batch"
		same "killed at $random of $n ($(cat "$work/batch.log"))" 137 $?
		true_that "it did not finish" test ! -e "$2/report.csv"
		bounded "the client, killed after $random" "$client"
	done
	begin "$2" "$1"
	random "$points"
	within 600 "$random certificates" passed "$random"
	smkid=$(child_of "$run" smkid)
	daemon=$(highest "$smkid")
	kill "-$3" "$smkid"
	wait "$batch"
	same "it can go on ($(cat "$work/batch.log"))" 75 $?
	has "what to do" "the same command goes on" "$work/batch.log"
	bounded "smkid, sent $3 after $random" "$daemon"
	kill -TERM "$run" 2>/dev/null
	ended "$run"
	up
	ends 0 "the rest" "$python" -c 'import os, sys, subprocess
p = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(p.pid, 0)
print(used.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))' $smki batch --out "$2" "$1"
	cat "$work/stdout"
	bounded "the client, to its end" "$(cat "$work/stderr")"
	bounded "smkid" "$(highest "$(child_of "$run" smkid)")"
	same "one file a request" "$n" "$(certificates "$2")"
	same "one certificate a request" $((before + n)) "$(issued)"
}
# judged FOLDER OUT: line by line, each certificate is for the key of its request.
judged() {
	$python - "$1" "$2" "$n" <<'END' || fail "the report of $2"
import sys, csv, os, base64
folder, out, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = list(csv.DictReader(open(out + '/report.csv', newline='')))
names = sorted(os.listdir(folder))
assert [int(r['number']) for r in rows] == list(range(1, n + 1))
assert [os.path.basename(r['name']) for r in rows] == names
assert len({r['serial'] for r in rows}) == n and all(r['result'] != 'refused' for r in rows)
for row, name in zip(rows, names):
    request = open(folder + '/' + name, 'rb').read()
    at = request.index(bytes.fromhex('3059301306072a8648ce3d0201'))
    pem = open(out + '/certificates/' + row['file']).read().splitlines()
    der = base64.b64decode(''.join(pem[1:-1]))
    assert request[at:at + 91] in der and bytes.fromhex(row['serial']) in der, row
END
	pass
}

title "killed on the way: $n in a folder, seed $seed"
mkdir "$work/many"
"$requests" "$work/many" "$n" || fail "no requests"
killed "$work/many" "$work/many.out" KILL
judged "$work/many" "$work/many.out"

title "killed on the way: $n in a zip"
mkdir "$work/more"
"$requests" "$work/more" "$n" || fail "no requests"
zip_of "$work/more.zip" "
for f in sorted(glob.glob('$work/more/*')): z.write(f, 'more/' + os.path.basename(f))"
killed "$work/more.zip" "$work/more.out" TERM
judged "$work/more" "$work/more.out"

title "changed on the way"
mkdir "$work/moved"
"$requests" "$work/moved" 3000 || fail "no requests"
begin "$work/moved.out" "$work/moved"
within 60 "some certificates" passed 1
kill -STOP "$batch"
refuses 73 "another at the same time" "another smki batch" $smki batch --out "$work/moved.out" \
    "$work/moved"
cp "$work/moved/000001.csr" "$work/moved/003000.csr"
kill -CONT "$batch"
wait "$batch"
same "it stops ($(cat "$work/batch.log"))" 73 $?
has "why" "was changed meanwhile: 003000.csr" "$work/batch.log"
refuses 73 "it is another batch now" "is the output of another batch" $smki batch \
    --out "$work/moved.out" "$work/moved"

# More octets of answers than smkid keeps for a peer: it reads nothing more until some are taken.
title "long certificates, and nobody takes them"
mkdir "$work/long"
label=$(printf '%050d' 0)
names=$(for i in 1 2 3 4 5 6 7 8; do printf ',DNS:h%s.%s.%s.example' $i "$label" "$label"; done)
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj / \
    -keyout "$work/x.key" -addext "subjectAltName=${names#,}" -outform DER \
    -out "$work/long/0000.csr" 2>/dev/null || fail "no request"
for i in $(seq 1000 2399); do
	cp "$work/long/0000.csr" "$work/long/$i.csr"
done
before=$(grep -c op=issue "$work/log")
answered() {
	[ "$(grep -c op=issue "$work/log")" -ge $((before + $1)) ]
}
# Nothing more is answered for 2 seconds: however many were asked for before the client was stopped.
had=0 since=0
still() {
	now=$(grep -c op=issue "$work/log")
	if [ "$now" != "$had" ]; then
		had=$now since=$(date +%s)
		return 1
	fi
	[ $(($(date +%s) - since)) -ge 2 ]
}
$smki batch --profile tls-server --out "$work/long.out" "$work/long" >"$work/batch.log" 2>&1 &
batch=$!
within 60 "some answers" answered 300
kill -STOP "$batch"
within 60 "answers that nobody takes" still
kill -CONT "$batch"
wait "$batch"
same "it ends ($(cat "$work/batch.log"))" 0 $?
has "all of it" '1401 requests: 1 issued, 1400 already' "$work/batch.log"
down
finish
