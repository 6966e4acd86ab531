// Package leaving measures what is left of a secret in the memory of a process that
// used it with the libraries of others.
package leaving
