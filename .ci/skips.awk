# The tests that a verbose run skipped, by reason. The run's own children, which
# tests start under other limits, are among them: they show indented.
/^ *=== (RUN|NAME|CONT)/ { test = $3; next }
/^ +[A-Za-z0-9_]+\.go:[0-9]+: / {
	line = $0
	sub(/^ +[A-Za-z0-9_]+\.go:[0-9]+: /, "", line)
	sub(/^SKIPPED[^:]*: /, "", line)
	reason[test] = line
	next
}
/^ *--- SKIP: / {
	why = $3 in reason ? reason[$3] : "no reason given"
	name = $3
	sub(/\/.*/, "", name)
	count[why]++
	if (!((why, name) in seen)) {
		seen[why, name] = 1
		tests[why] = tests[why] " " name
	}
}
END { for (why in count) printf "    skipped %d× because %s:%s\n", count[why], why, tests[why] }
