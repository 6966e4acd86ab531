package platform

import (
	"errors"

	"golang.org/x/sys/windows/registry"
)

// Read reads the facts of this system.
func Read() Facts {
	return FromWindows(Registry{Number: number, List: list, Exists: exists})
}

func number(key, name string) (n uint64, found bool, err error) {
	k, found, err := open(key)
	if !found {
		return 0, false, err
	}
	defer k.Close()
	n, _, err = k.GetIntegerValue(name)
	if errors.Is(err, registry.ErrNotExist) {
		return 0, false, nil
	}
	return n, err == nil, err
}

func list(key, name string) (values []string, found bool, err error) {
	k, found, err := open(key)
	if !found {
		return nil, false, err
	}
	defer k.Close()
	values, _, err = k.GetStringsValue(name)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, false, nil
	}
	return values, err == nil, err
}

func exists(key string) (bool, error) {
	k, found, err := open(key)
	if found {
		k.Close()
	}
	return found, err
}

func open(key string) (k registry.Key, found bool, err error) {
	k, err = registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return 0, false, nil
	}
	return k, err == nil, err
}
