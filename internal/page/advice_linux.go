package page

var advised = Protection{Dump: "MADV_DONTDUMP", Fork: "MADV_DONTFORK"}

func exclude(b []byte) error { return kernel{}.exclude(b) }
