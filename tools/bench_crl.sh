#!/bin/sh
# One CRL of N entries, judged: the memory of making it stays under LIMIT KiB, and the openssl
# command verifies it and reads back every entry.
#
#   bench_crl.sh PROGRAM N LIMIT [FOLDER [RUNS]]   FOLDER: where the home is made and removed again
set -u
program=$1 n=$2 limit=$3

for p in openssl awk; do
	command -v "$p" >/dev/null || {
		echo "no $p here"
		exit 77
	}
done
work=$(mktemp -d "${4:-${TMPDIR:-/tmp}}/smki-crl.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

"$program" "$work/home" "$n" "${5:-1}" >"$work/out"
status=$?
[ "$status" -eq 0 ] || exit "$status"
# The last of its kind.
value() {
	awk -v k="$1" '$1 == k { v = $2 } END { print v }' "$work/out"
}
file=$(value file) entries=$(value entries) rss=$(value rss)

# The chain file that init wrote for TLS ends with the issuing CA's certificate.
awk '/BEGIN/ { text = "" } { text = text $0 "\n" } END { printf "%s", text }' \
    "$work/home/tls/server.pem" >"$work/issuing.pem"
verdict=$(openssl crl -inform DER -in "$file" -noout -CAfile "$work/issuing.pem" 2>&1)
read_back=$(openssl crl -inform DER -in "$file" -noout -text | grep -c 'Serial Number:')

echo "crl: $n entries: $(value seconds) s, bound $(value bound) s, $((rss / 1024)) MiB resident at most," \
    "$(value octets) octets; openssl: $verdict, $read_back entries"
bad=0
[ "$entries" -eq "$n" ] || {
	echo "the list says it has $entries entries"
	bad=1
}
[ "$read_back" -eq "$n" ] || {
	echo "openssl reads $read_back entries"
	bad=1
}
[ "$rss" -le "$limit" ] || {
	echo "$rss KiB resident, over $limit"
	bad=1
}
case $verdict in
*'verify OK'*) ;;
*)
	echo "openssl does not verify it"
	bad=1
	;;
esac
exit "$bad"
