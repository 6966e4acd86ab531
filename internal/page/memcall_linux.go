package page

// lockCall names the system call behind memcall.Lock.
const lockCall = "mlock"

// relockAfterNone: mlock(2) holds whatever the access becomes.
const relockAfterNone = false
