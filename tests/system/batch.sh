#!/bin/sh
# smki batch: a zip or a folder of requests, each to a certificate or a reason, in the order given;
# killed on the way and begun again, it ends with one certificate a request; what is no honest zip
# is refused as a whole.
. "$2/tests/system/lib.sh"
requests=$3
needs python3 openssl

make_home
up

# zip_of ZIP PYTHON: a zip made by a program that sees z (the open ZipFile).
zip_of() {
	$python - "$1" <<END || fail "no zip"
import sys, zipfile, os, glob
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
again = [r for r in rows[1:] if r[1] == 'again.csr'][0]
assert again[2] == 'already'
assert again[3] == [r for r in rows[1:] if r[1] == 'folder/m000021.csr'][0][3]
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
refuses 73 "another batch" "is the output of another batch" $smki batch --out "$work/a.zip.out" \
    "$work/b.zip"
mkdir "$work/other"
echo >"$work/other/file"
refuses 73 "a folder of somebody's" "is no output of a batch" $smki batch --out "$work/other" \
    "$work/b.zip"

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
refused "a link" "is no regular file" "$fresh
i = zipfile.ZipInfo('link.csr'); i.create_system = 3; i.external_attr = 0o120777 << 16
z.writestr(i, '/etc/passwd')"
refused "an empty one" "bad.zip" ""
refused "a line end in a name" "is not allowed in a name" "$fresh
z.writestr('a\\nb.csr', b'0')"
head -c 300 /dev/zero >"$work/bad.zip"
refuses 65 "no zip at all" "bad.zip" $smki batch "$work/bad.zip"
refuses 66 "no such file" "No such file" $smki batch "$work/none.zip"

title "killed on the way"
mkdir "$work/many"
"$requests" "$work/many" 3000 || fail "no requests"
now=$(issued)
for at in 300 1000 1900; do
	$smki batch --out "$work/many.out" "$work/many" >"$work/batch.log" 2>&1 &
	batch=$!
	reached() {
		[ "$(certificates "$work/many.out")" -ge "$at" ] || gone "$batch"
	}
	within 60 "$at certificates" reached
	kill -KILL "$batch" 2>/dev/null
	wait "$batch"
	true_that "it did not finish ($(cat "$work/batch.log"))" test ! -e "$work/many.out/report.csv"
done
ends 0 "the rest" $smki batch --out "$work/many.out" "$work/many"
same "one file a request" 3000 "$(certificates "$work/many.out")"
same "one certificate a request" $((now + 3000)) "$(issued)"
same "as many serials" 3000 "$(cut -d , -f 4 "$work/many.out/report.csv" | tail -n +2 | sort -u | wc -l)"

title "smkid goes away on the way"
mkdir "$work/more"
"$requests" "$work/more" 3000 || fail "no requests"
now=$(issued)
$smki batch --out "$work/more.out" "$work/more" >"$work/batch.log" 2>&1 &
batch=$!
reached() {
	[ "$(certificates "$work/more.out")" -ge 500 ] || gone "$batch"
}
within 60 "500 certificates" reached
down
wait "$batch"
same "batch says that it can go on ($(cat "$work/batch.log"))" 75 $?
has "what to do" "the same command goes on" "$work/batch.log"
up
ends 0 "the rest" $smki batch --out "$work/more.out" "$work/more"
same "one certificate a request" $((now + 3000)) "$(issued)"
down
finish
