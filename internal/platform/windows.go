package platform

// Registry answers for one number or string list under HKEY_LOCAL_MACHINE. A
// key or value that is not there is no error: found is false.
type Registry struct {
	Number func(key, name string) (n uint64, found bool, err error)
	List   func(key, name string) (values []string, found bool, err error)
	Exists func(key string) (bool, error)
}

const (
	memoryKey = `SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management`
	ntfsKey   = `SYSTEM\CurrentControlSet\Control\FileSystem`
	powerKey  = `SYSTEM\CurrentControlSet\Control\Power`
	dumpsKey  = `SOFTWARE\Microsoft\Windows\Windows Error Reporting\LocalDumps`
)

// FromWindows reads what Windows tells in its registry.
func FromWindows(r Registry) Facts {
	f := Facts{
		Tracing: Tracing{SameUser: Yes, Why: "Windows lets a user debug the processes of the same user"},
	}
	if files, found, err := r.List(memoryKey, "PagingFiles"); err == nil && found {
		f.Swap.Present = No
		encrypted := Unknown
		// fsutil(1), behavior set encryptpagingfile.
		if n, found, err := r.Number(ntfsKey, "NtfsEncryptPagingFile"); err == nil {
			encrypted = answer(found && n == 1)
		}
		for _, file := range files {
			if file != "" {
				f.Swap.Present = Yes
				f.Swap.Areas = append(f.Swap.Areas, Area{Name: file, Encrypted: encrypted})
			}
		}
	}
	if n, found, err := r.Number(powerKey, "HibernateEnabled"); err == nil && found {
		f.Hibernation = Hibernation{answer(n != 0), "HibernateEnabled in the registry"}
	}
	// Windows Error Reporting keeps dumps on disk if this key is there.
	if local, err := r.Exists(dumpsKey); err == nil {
		f.Core.Off = answer(!local)
		if local {
			f.Core.Pattern = "Windows Error Reporting, LocalDumps"
		}
	}
	return f
}
