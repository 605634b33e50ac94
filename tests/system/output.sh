#!/bin/sh
# Where --out leads: one way for all verbs that have it. A file is there whole or not at all, nobody
# else's is touched on the way, and what is no file stays what it is.
#
#   output.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl "$python" mkfifo timeout

make_home
up
demo_meter 00db123400000001 digitalSignature one || fail "openssl makes no request"
ends 0 "issue" $smki issue "$dir/one.csr"
mkdir "$work/o"

# right VERB FILE: it holds what the verb writes.
right() {
	case $1 in
	crl) openssl crl -inform DER -in "$2" -noout ;;
	*) openssl x509 -in "$2" -noout ;;
	esac
}
# entries N: so many files are in the folder that --out leads into.
entries() {
	[ "$(ls -A "$work/o" | wc -l)" -eq "$1" ]
}
# through FIFO: what comes out of the FIFO.
through() {
	timeout 30 cat "$1" >"$work/got" &
	reader=$!
	pids="$pids $reader"
}

for verb in "issue $dir/one.csr" 'ca export' crl; do
	title "${verb%% /*}"
	o=$work/o/file
	ends 0 "to a file" $smki $verb --out "$o"
	true_that "what it says" right "$verb" "$o"
	same "its mode" 644 "$(stat -c %a "$o")"
	true_that "nothing beside it" entries 1

	# Named as a temporary file once was: somebody's own, or a trap in a folder that all share.
	echo mine >"$work/o/file.new"
	ends 0 "beside a file of another" $smki $verb --out "$o"
	same "which stays" mine "$(cat "$work/o/file.new")"
	echo victim >"$work/victim"
	ln -sf "$work/victim" "$work/o/file.new"
	ends 0 "beside a link" $smki $verb --out "$o"
	same "which nobody follows" victim "$(cat "$work/victim")"
	true_that "and stays" test -L "$work/o/file.new"
	true_that "what it says" right "$verb" "$o"
	ln -s "$work/victim" "$work/o/link"
	ends 0 "to a link to a file" $smki $verb --out "$work/o/link"
	false_that "is replaced" test -L "$work/o/link"
	same "not followed" victim "$(cat "$work/victim")"
	rm "$work/o/link" "$work/o/file.new"

	mkdir "$work/o/folder"
	ln -s folder "$work/o/to-folder"
	refuses 65 "a folder" "$work/o/folder: " $smki $verb --out "$work/o/folder"
	refuses 65 "a folder with a slash" "$work/o/folder/: " $smki $verb --out "$work/o/folder/"
	refuses 65 "a link to one" "$work/o/to-folder: " $smki $verb --out "$work/o/to-folder"
	refuses 66 "into no folder" "$work/no/x" $smki $verb --out "$work/no/x"
	refuses 66 "into a file" "$o/x" $smki $verb --out "$o/x"
	rmdir "$work/o/folder"
	rm "$work/o/to-folder"
	true_that "nothing is left" entries 1

	mkfifo "$work/o/fifo"
	through "$work/o/fifo"
	ends 0 "to a pipe" $smki $verb --out "$work/o/fifo"
	wait "$reader"
	true_that "is still one" test -p "$work/o/fifo"
	true_that "what came through" right "$verb" "$work/got"
	rm "$work/o/fifo"
	# Never the machine's own. A container may forbid to make one, or to open it.
	if [ "$(id -u)" -eq 0 ] && mknod "$work/o/null" c 1 3 2>/dev/null &&
	    (: >"$work/o/null") 2>/dev/null; then
		ends 0 "to a device" $smki $verb --out "$work/o/null"
		true_that "is still one" test -c "$work/o/null"
		ln -s null "$work/o/to-null"
		ends 0 "to a link to one" $smki $verb --out "$work/o/to-null"
		true_that "is still a link" test -L "$work/o/to-null"
		true_that "to one" test -c "$work/o/null"
	fi
	rm -f "$work/o/null" "$work/o/to-null"
	true_that "nothing is left" entries 1

	cd "$work/o" || fail "cd"
	ends 0 "to standard output" $smki $verb --out -
	cp "$work/stdout" "$work/got"
	true_that "what is there" right "$verb" "$work/got"
	lacks "not even a line beside it" ' entries, ' "$work/got"
	ln -s /proc/self/fd/1 stdout
	ends 0 "to what /dev/stdout is" $smki $verb --out stdout
	cp "$work/stdout" "$work/got"
	true_that "what is there" right "$verb" "$work/got"
	lacks "not even a line beside it" ' entries, ' "$work/got"
	true_that "the link is still one" test -L stdout
	ln -s /proc/self/fd/2 stderr
	ends 0 "to what /dev/stderr is" $smki $verb --out stderr
	true_that "what is there" right "$verb" "$work/stderr"
	true_that "the link is still one" test -L stderr
	rm stdout stderr
	for to in /dev/fd /proc/self/fd; do
		ends 0 "to $to/1" $smki $verb --out "$to/1"
		cp "$work/stdout" "$work/got"
		true_that "what is there" right "$verb" "$work/got"
		lacks "not even a line beside it" ' entries, ' "$work/got"
		ends 0 "to $to/2" $smki $verb --out "$to/2"
		true_that "what is there" right "$verb" "$work/stderr"
	done
	true_that "nothing is left, no file of the name -" entries 1
	cd "$source" || fail "cd"
	for to in '>/dev/full' '>&-'; do
		ends 75 "standard output $to" sh -c "exec $smki $verb --out - $to"
		has "is said" 'standard output' "$work/stderr"
	done
	rm "$o"
done
ends 0 "the line of a list" $smki crl --out "$work/o/file"
has "is there beside a file" ' entries, ' "$work/stdout"
rm "$work/o/file"

title "two at once, and an end by a signal"
smkid=$(child_of "$run" smkid)
pids="$pids $smkid"
kill -STOP "$smkid"
# asks NAME HUP: smki crl with an answer to wait for; SIGHUP is DFL or IGN. A shell ignores SIGINT in
# what it spawns, and whoever started this may ignore SIGHUP (nohup).
asks() {
	spawn "$1" "$python" -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, getattr(signal, "SIG_" + sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])' "$2" $smki crl --out "$work/o/list"
}
for signal in INT:130 TERM:143 HUP:129; do
	asks asker DFL
	within 20 "a file is begun" entries 1
	kill -"${signal%:*}" "$asker"
	ended "$asker"
	same "ended by SIG${signal%:*}" "${signal#*:}" "$ended"
	true_that "nothing is left" entries 0
done
asks asker IGN
within 20 "a file is begun" entries 1
kill -HUP "$asker"
kill -TERM "$asker"
ended "$asker"
same "SIGHUP is ignored where the caller does" 143 "$ended"
true_that "nothing is left" entries 0
asks one DFL
asks two DFL
within 20 "each has a file of its own" entries 2
kill -CONT "$smkid"
for p in "$one" "$two"; do
	ended "$p"
	same "is done" 0 "$ended"
done
true_that "one whole list" right crl "$work/o/list"
true_that "and nothing else" entries 1
down
finish
