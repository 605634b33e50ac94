# The parts of tools/bench, which sources this and sets: build, work, lines, runs_up, bare, runs and
# how much of everything. Programs add their figures to the file $BENCH_LINES.
# shellcheck shell=sh disable=SC2015,SC2034,SC2154

# home_new: an empty home in a new work folder; smki asks it.
home_new() {
	work=$(mktemp -d "$build/home.XXXXXX") || die "no folder for a home"
	home=$work/home
	home_make
}

# Limits that would be measured instead of the service are raised, and many connections come from
# one address.
home_make() {
	smki="$build/smki --home $home"
	[ -f "$home/smki.conf" ] && return
	$smki init --http 127.0.0.1:0 --https 127.0.0.1:0 --name localhost >"$work/log" 2>&1 ||
	    die "init failed"
	sed -i '/^\[http\]/a workers = 5\nconnections = 600\nconnections_per_address = 600' \
	    "$home/smki.conf" && printf '\n[enrol]\nper_minute = 10000000\n' \
	        >>"$home/smki.conf" || die "smki.conf is not written"
}

# home_up [NAME]: its daemons; sets http, ca, and puts the process on the list.
home_up() {
	rm -f "$home/run/addresses"
	$smki run >>"$work/log" 2>&1 </dev/null &
	runs_up="$runs_up $!"
	demo_wait 60 demo_answers "$home" || die "the daemons do not answer"
	home_ca "${1:-ca}"
}

# home_ca NAME: sets ca, the issuing CA's certificate in DER: the last of the chain that init wrote.
home_ca() {
	ca=$work/$1.der
	awk '/BEGIN/ { text = "" } { text = text $0 "\n" } END { printf "%s", text }' \
	    "$home/tls/server.pem" | openssl x509 -outform DER -out "$ca" ||
	    die "no certificate of the CA"
}

# homes_down: all daemons end, the work folder goes.
homes_down() {
	for pid in $runs_up; do
		kill -TERM "$pid"
		wait "$pid" || die "the daemons did not end well"
	done
	runs_up=
	rm -rf "$work"
	work=
}

# bare_up MODE WORKERS BODY HEADERS...: bare libmicrohttpd; sets bare_port.
bare_up() {
	mkfifo "$work/bare.in" || die "no pipe"
	"$build/tools/bench_bare" "$@" <"$work/bare.in" >"$work/bare.port" &
	bare=$!
	exec 7>"$work/bare.in"
	demo_wait 10 test -s "$work/bare.port" || die "bare libmicrohttpd does not start"
	bare_port=$(cat "$work/bare.port")
}

bare_down() {
	exec 7>&-
	wait "$bare" || die "bare libmicrohttpd did not end well"
	bare=
	rm -f "$work/bare.in" "$work/bare.port"
}

# child_of NAME: the process of this name under the newest home's "smki run".
child_of() {
	for pid in $runs_up; do
		read -r children <"/proc/$pid/task/$pid/children"
		for child in $children; do
			[ "$(cat "/proc/$child/comm")" != "$1" ] || echo "$child"
		done
	done | tail -n 1
}

bench_issue() {
	home_new
	home_up
	"$build/tools/bench_issue" --requests "$issue_n" --runs "$runs" "$home" "$ca" ||
	    die "issue failed"
	homes_down
}

bench_parts() {
	home_new
	"$build/tools/bench_parts" "$home" "$issue_n" || die "parts failed"
	homes_down
}

# ocsp_load NAME CONNECTIONS ARGUMENT...: several runs of bench_http.
ocsp_load() {
	name=$1 connections=$2
	shift 2
	"$build/tools/bench_http" --name "$name" --connections "$connections" --ms "$ocsp_ms" \
	    --runs "$runs" "$@" || die "ocsp failed"
}

bench_ocsp() {
	home_new
	home_up
	"$build/tools/bench_ocsp" requests "$home" "$ca" "$work" 1000 20000 ||
	    die "no requests"
	# Bare libmicrohttpd sends what smki-httpd answers to the first of them.
	path=$(cat "$work/path")
	curl -fsS -o "$work/body" "http://$http$path" &&
	    curl -fsS -D "$work/headers" -o "$work/body" "http://$http$path" || die "no answer"
	bare_up plain 5 "$work/body" "$work/headers"
	for method in get post; do
		for connections in 1 64 500; do
			ocsp_load "ocsp: cached, $method, $connections connections" "$connections" \
			    "$work/$method.req" "$http" "$bare_port" --warm --target '>= 0.9' \
			    --pid "$(child_of smki-httpd)" --bare-pid "$bare"
		done
	done
	bare_down
	# Shorter ones have no rate.
	nonce_bound_ms=$((ocsp_ms / 4 > 250 ? ocsp_ms / 4 : 250))
	ocsp_load "ocsp: a nonce each, 64 connections" 64 "$work/nonce.req" "$http" \
	    --bound "exec '$build/tools/bench_ocsp' bound '$home' $nonce_bound_ms" --target '>= 0.8'
	homes_down
}

bench_visible() {
	home_new
	home_up
	"$build/tools/bench_ocsp" requests "$home" "$ca" "$work" 1000 1 || die "no requests"
	"$build/tools/bench_http" --connections 64 --ms 0 --warm --name load "$work/get.req" \
	    "$http" >"$work/load.log" 2>&1 &
	bare=$!
	"$build/tools/bench_visible" "$home" "$ca" "$http" "$visible_n" || die "visible failed"
	kill -0 "$bare" 2>/dev/null || die "the load ended: $(cat "$work/load.log")"
	kill "$bare"
	wait "$bare" 2>/dev/null
	bare=
	homes_down
}

bench_crl() {
	tools/bench_crl.sh "$build/tools/bench_crl" "$crl_n" "$limit" "$build" "$runs" ||
	    die "crl failed"
}

bench_batch() {
	home_new
	home_up
	mkdir "$work/requests" && "$build/tools/bench_requests" "$work/requests" "$batch_n" ||
	    die "no requests"
	most=$(awk -v get='issue: certificates, durable' -f tools/bench_table.awk "$lines")
	# shellcheck disable=SC2086
	"$build/tools/bench_child" "batch: requests" "$batch_n" "$most" '' "$batch_limit" \
	    $smki batch --out "$work/out" "$work/requests" || die "batch failed"
	daemon=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$(child_of smkid)/status")
	printf 'batch: memory of smkid\tKiB\t%s\t0\t<= %s\n' "$daemon" "$batch_limit" >>"$lines"
	homes_down
}

bench_est() {
	home_new
	"$build/tools/bench_est" prepare "$work" "$est_n" || die "no meters"
	mkdir -p "$home/policies/anchors" && cp "$work/anchor.pem" "$home/policies/anchors/bench.pem" &&
	    printf '\n[manufacturer bench]\nanchors = anchors/bench.pem\neui64 = serialNumber\n' \
	        >>"$home/policies/manufacturers.cnf" || die "no anchor"
	home_up
	demo_https "$home" || die "no TLS listener"
	$smki device import "$work/meters.csv" >>"$work/log" 2>&1 || die "the import failed"
	"$build/tools/bench_est" one "$work" "127.0.0.1:$https" >"$work/body" || die "no answer"
	printf 'Content-Type: application/pkcs7-mime; smime-type=certs-only\n%s\n%s\n' \
	    'Content-Transfer-Encoding: base64' 'Cache-Control: no-store' >"$work/headers"
	bare_up tls 2 "$work/body" "$work/headers" "$home/tls/server.key" "$home/tls/server.pem"
	"$build/tools/bench_est" run "$work" "$est_n" "$bare_port" "127.0.0.1:$https" ||
	    die "est failed"
	bare_down
	homes_down
}

bench_import() {
	home_new
	home_up
	"$build/tools/bench_import" "$home" "$build/smki" "$work/devices.csv" "$import_n" ||
	    die "import failed"
	homes_down
}

# growth_fill: the full home, made once and kept; sets home.
growth_fill() {
	kept=$build/fill-$fill_n
	mkdir -p "$kept" || die "no folder $kept"
	home=$kept/home
	home_make
	echo "growth: filling $home"
	begun=$(date +%s)
	"$build/tools/bench_fill" "$home" "$fill_n" >"$work/filled" ||
	    die "fill failed; remove $kept if it is of another version"
	echo "growth: filled in $(($(date +%s) - begun)) s"
	awk '{ v[$1] = $2 } END {
		printf "growth: database of %d certificates\tMiB\t%.6g\t0\t\n", v["certificates"],
		    v["octets"] / 1048576
		printf "growth: octets a certificate\t\t%.6g\t0\t\n", v["octets"] / v["certificates"]
	}' "$work/filled" >>"$lines"
}

bench_growth() {
	home_new
	empty=$home
	home_up
	empty_http=$http empty_ca=$ca
	growth_fill
	home_ca full
	for i in $(seq "$runs"); do
		"$build/tools/bench_growth" start "$build/smki" "$home" "$ca" >"$work/start" \
		    2>>"$work/log" || die "start failed"
		[ "$i" -gt 1 ] || cat "$work/start"
	done
	home_up full
	"$build/tools/bench_growth" rates "$build/smki" "$empty" "$empty_ca" "$empty_http" \
	    "$home" "$ca" "$http" "$growth_n" "$growth_warm" "$runs" || die "growth failed"
	homes_down
}
