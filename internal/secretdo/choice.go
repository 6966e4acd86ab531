package secretdo

import "context"

// outside is the key of a context that Without has returned.
type outside struct{}

// Without returns a context for calls that are to run their function as it is.
func Without(ctx context.Context) context.Context {
	if !On {
		return ctx // there is nothing to choose
	}
	return context.WithValue(ctx, outside{}, true)
}

// Unwanted reports whether ctx comes from [Without].
func Unwanted(ctx context.Context) bool { return On && ctx.Value(outside{}) != nil }
