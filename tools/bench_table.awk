# Lines of bench_line() to a table, or with -v json=1 to an object for tracking. A thing's lines come
# together, in the order of their first; of several runs the median of figure and bound, and least,
# median and largest ratio. With -v get=WHAT only the median bound of this thing.
BEGIN {
	FS = "\t"
}
{
	if (!($1 in count)) {
		name[++things] = $1
		unit[$1] = $2
		target[$1] = $5
	}
	i = ++count[$1]
	figure[$1, i] = $3
	bound[$1, i] = $4
	ratio[$1, i] = $4 > 0 ? $3 / $4 : 0
}

# The values of one thing in order, into sorted[1..n].
function order(values, what, n,    i, k, x) {
	for (i = 1; i <= n; i++) {
		x = values[what, i] + 0
		for (k = i - 1; k > 0 && sorted[k] > x; k--)
			sorted[k + 1] = sorted[k]
		sorted[k + 1] = x
	}
}

function median(values, what, n) {
	order(values, what, n)
	return sorted[int((n + 1) / 2)]
}

function short(x) {
	if (x >= 100 || x == int(x))
		return sprintf("%.0f", x)
	return x >= 10 ? sprintf("%.1f", x) : sprintf("%.2f", x)
}

# Whether the target holds: of the median ratio, without a bound of the worst figure.
function verdict(what, n,    part, x) {
	if (target[what] == "")
		return ""
	split(target[what], part, " ")
	if (bound[what, 1] > 0) {
		x = median(ratio, what, n)
	} else {
		order(figure, what, n)
		x = part[1] == ">=" ? sorted[1] : sorted[n]
	}
	if (part[1] == ">=" ? x >= part[2] + 0 : x <= part[2] + 0)
		return "yes"
	return "no"
}

function quoted(text) {
	gsub(/[\\"]/, "\\\\&", text)
	return "\"" text "\""
}

function line_text(what, n,    has, spread) {
	has = bound[what, 1] > 0
	if (has) {
		order(ratio, what, n)
		spread = sprintf("%.2f  %.2f  %.2f", sorted[1], sorted[int((n + 1) / 2)], sorted[n])
	}
	printf "%-44s %9s %-4s %9s  %16s  %-9s %s\n", what, short(median(figure, what, n)),
	    unit[what], has ? short(median(bound, what, n)) : "", spread, target[what],
	    verdict(what, n)
}

function line_json(what, n,    has) {
	has = bound[what, 1] > 0
	printf "%s\n  {\"what\": %s, \"unit\": %s, \"runs\": %d, \"figure\": %.6g", separator,
	    quoted(what), quoted(unit[what]), n, median(figure, what, n)
	if (has) {
		printf ", \"bound\": %.6g", median(bound, what, n)
		order(ratio, what, n)
		printf ", \"ratio\": {\"min\": %.4g, \"median\": %.4g, \"max\": %.4g}", sorted[1],
		    sorted[int((n + 1) / 2)], sorted[n]
	}
	if (target[what] != "")
		printf ", \"target\": %s, \"met\": %s", quoted(target[what]),
		    verdict(what, n) == "yes" ? "true" : "false"
	printf "}"
	separator = ","
}

END {
	if (get != "") {
		if (get in count)
			printf "%.1f\n", median(bound, get, count[get])
		else
			print 0
		exit
	}
	if (json) {
		printf "{\"machine\": %s,\n \"stands_on\": %s,\n \"time\": %s,\n \"lines\": [", quoted(machine),
		    quoted(stands_on), quoted(time)
		for (t = 1; t <= things; t++)
			line_json(name[t], count[name[t]])
		printf "\n ]}\n"
		exit
	}
	printf "%-44s %9s %-4s %9s  %16s  %-9s %s\n", "what", "figure", "", "bound",
	    "ratio min med max", "target", "met"
	for (t = 1; t <= things; t++)
		line_text(name[t], count[name[t]])
}
