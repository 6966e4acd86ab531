package contenders

// Floor names what nothing that opens into a page of its own can go below.
const Floor = "floor"

// Beside returns what is measured beside memkeep, in the same process, and takes
// no part in the other tables.
func Beside() []*Contender { return []*Contender{floor()} }

func floor() *Contender {
	return &Contender{
		Name: Floor,
		About: "opening: two bare calls of mprotect make a page readable and unreadable again, golang.org/x/crypto decrypts into it through a second mapping; " +
			"sealing: fresh memory, golang.org/x/crypto encrypts into it, the source is cleared; measured in memkeep's own process",
		Module:   "golang.org/x/crypto",
		Ways:     []Way{Open},
		Promises: Promises{Encrypted: true, ReadOnly: true, After: map[Way]AfterClose{Open: Faults}},
		Skipped:  floorSkipped,
		Start:    newFloorStore,
	}
}
