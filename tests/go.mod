module github.com/memkeep/memkeep/tests

go 1.25.0

require github.com/memkeep/memkeep v0.0.0

replace github.com/memkeep/memkeep => ../
