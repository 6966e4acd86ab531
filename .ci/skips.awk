# What a verbose log says of the tests that were skipped, by reason. The run's own
# children, which tests start under other limits, are among them: they show indented.
# The variable must has the names of tests that have to run for real, between
# blanks. For each of them that was skipped, itself or a part of it, or did not run,
# there is a line that begins with MUST.
function top(name) {
	sub(/\/.*/, "", name)
	return name
}
/^ *=== (RUN|NAME|CONT)/ { test = $3; next }
/^ +[A-Za-z0-9_]+\.go:[0-9]+: / {
	line = $0
	sub(/^ +[A-Za-z0-9_]+\.go:[0-9]+: /, "", line)
	sub(/^SKIPPED[^:]*: /, "", line)
	reason[test] = line
	next
}
/^ *--- PASS: / { ran[top($3)] = 1 }
/^ *--- SKIP: / {
	why = $3 in reason ? reason[$3] : "no reason given"
	name = top($3)
	count[why]++
	if (!((why, name) in seen)) {
		seen[why, name] = 1
		if (++named[why] <= 8)
			tests[why] = tests[why] " " name
		if (index(must, " " name " "))
			print "MUST " name ": " why
	}
	skipped[name] = 1
}
END {
	for (why in count)
		printf "    skipped %d× because %s:%s%s\n", count[why], why, tests[why], (named[why] > 8 ? " and " (named[why] - 8) " more" : "")
	n = split(must, names, " ")
	for (i = 1; i <= n; i++)
		if (!(names[i] in ran) && !(names[i] in skipped))
			print "MUST " names[i] ": it did not run"
}
