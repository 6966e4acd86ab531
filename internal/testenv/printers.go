package testenv

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"log/slog"
	"reflect"
	texttemplate "text/template"
)

// A Printer is a way in which programs print values. An error counts as printed:
// it may quote what it refuses.
type Printer struct {
	Name  string
	Print func(v any) ([]byte, error)
}

// StandardPrinters are those of the standard library.
func StandardPrinters() []Printer {
	printers := []Printer{
		{"slog text", func(v any) ([]byte, error) {
			var out bytes.Buffer
			slog.New(slog.NewTextHandler(&out, nil)).Info("value", "v", v)
			return out.Bytes(), nil
		}},
		{"slog JSON", func(v any) ([]byte, error) {
			var out bytes.Buffer
			slog.New(slog.NewJSONHandler(&out, nil)).Info("value", "v", v)
			return out.Bytes(), nil
		}},
		{"json", json.Marshal},
		{"xml", xml.Marshal},
		{"gob", func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := gob.NewEncoder(&out).Encode(v)
			return out.Bytes(), err
		}},
		{"text/template", func(v any) ([]byte, error) {
			var out bytes.Buffer
			t := texttemplate.Must(texttemplate.New("").Parse(`{{.}} {{printf "%+v %x" . .}}{{js .}}{{html .}}{{urlquery .}}`))
			err := t.Execute(&out, v)
			return out.Bytes(), err
		}},
		{"html/template", func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := template.Must(template.New("").Parse(`<a href="{{.}}">{{.}}</a><script>{{.}}</script>`)).Execute(&out, v)
			return out.Bytes(), err
		}},
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%x", "% x", "%#x", "% #X", "%d", "%#o", "%O", "%b", "%c", "%U", "%e", "%t", "%p", "%T"} {
		printers = append(printers, Printer{"fmt " + verb, func(v any) ([]byte, error) { return fmt.Appendf(nil, verb, v), nil }})
	}
	return printers
}

// Whole is a struct that shows a value, and Hidden one that keeps it to itself, as
// the structs of programs do.
type (
	Whole[T any] struct {
		Name  string
		Field T
	}
	Hidden[T any] struct {
		name  string
		field T
	}
)

// Shapes returns the ways in which a program may hand what p points to to a
// printer, by name: by pointer and by value, alone and in maps, slices and structs.
// Copying by value is what vet forbids and what somebody does all the same.
func Shapes[T any](p *T) map[string]any {
	value := reflect.ValueOf(p).Elem().Interface()
	return map[string]any{
		"pointer":                   p,
		"value":                     value,
		"pointer to pointer":        &p,
		"map of pointers":           map[string]*T{"k": p},
		"map of values":             map[string]T{"k": *p},
		"slice of pointers":         []*T{p},
		"slice of values":           []T{*p},
		"any":                       []any{p, value},
		"exported pointer":          Whole[*T]{"name", p},
		"exported value":            Whole[T]{"name", *p},
		"pointer, exported value":   &Whole[T]{"name", *p},
		"unexported pointer":        Hidden[*T]{"name", p},
		"unexported value":          Hidden[T]{"name", *p},
		"pointer, unexported value": &Hidden[T]{"name", *p},
	}
}
