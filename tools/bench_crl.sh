#!/bin/sh
# One CRL of N entries and the lists of all its shards, judged: the memory of making them stays under
# LIMIT KiB, the largest list of a shard under a megabyte, and the openssl command verifies both and
# reads back every entry.
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
largest=$(value largest) shard=$(awk '$1 == "largest" { f = $3 } END { print f }' "$work/out")

# The chain file that init wrote for TLS ends with the issuing CA's certificate.
awk '/BEGIN/ { text = "" } { text = text $0 "\n" } END { printf "%s", text }' \
    "$work/home/tls/server.pem" >"$work/issuing.pem"
verify() {
	openssl crl -inform DER -in "$1" -noout -CAfile "$work/issuing.pem" 2>&1
}
verdict=$(verify "$file")
read_back=$(openssl crl -inform DER -in "$file" -noout -text | grep -c 'Serial Number:')

echo "crl: $n entries: $(value seconds) s, bound $(value bound) s, $((rss / 1024)) MiB resident at most," \
    "$(value octets) octets; openssl: $verdict, $read_back entries"
echo "crl: $n entries: $(value shards) shards: $(value shards-seconds) s, largest $largest octets;" \
    "openssl: $(verify "$shard")"
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
[ "$largest" -lt 1000000 ] || {
	echo "the largest list of a shard has $largest octets"
	bad=1
}
for list in "$file" "$shard"; do
	case $(verify "$list") in
	*'verify OK'*) ;;
	*)
		echo "openssl does not verify $list"
		bad=1
		;;
	esac
done
exit "$bad"
