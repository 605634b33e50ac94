# The surroundings of the Python programs here. Sets python; skips (77) what cannot run.
python=/usr/bin/python3
for p in "$python" openssl; do
	command -v "$p" >/dev/null || {
		echo "skipped: no $p here"
		exit 77
	}
done
PATH=$PATH:/usr/sbin:/sbin TZ=Asia/Kathmandu LC_ALL=C
export PATH TZ LC_ALL
unset SMKI_HOME SMKI_FAULT
