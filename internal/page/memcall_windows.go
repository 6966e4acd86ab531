package page

// mechanisms of Windows.
var mechanisms = []mechanism{{Memcall, openMemcall}}

// lockCall names the system call behind memcall.Lock.
const lockCall = "VirtualLock"

// relockAfterNone: making locked pages PAGE_NOACCESS can drop them from the
// working set, and with it their lock. A run is wiped before it becomes
// inaccessible, so nothing secret is unlocked in between.
const relockAfterNone = true

// exclude: private pages have no child to go to, and a process's own dump is
// written only when something asks for it.
func exclude([]byte) error { return nil }
