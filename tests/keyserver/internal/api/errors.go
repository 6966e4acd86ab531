package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
)

// Errors of requests, besides those of the packages below.
var (
	errNoRoute   = errors.New("there is nothing at this path")
	errMethod    = errors.New("this path does not know that method")
	errMediaType = errors.New("the body must be application/json")
	errJSON      = errors.New("the body is not the JSON that is wanted")
	errBase64    = errors.New("not standard base64")
	errQuery     = errors.New("bad query")
)

// statusClientGone is for the log alone: nobody is there to read the answer.
const statusClientGone = 499

// A verdict is how an error looks from outside.
type verdict struct {
	err    error
	status int
	code   string
}

// verdicts are tried in their order.
var verdicts = []verdict{
	{errHost, http.StatusMisdirectedRequest, "wrong_host"},
	{errToken, http.StatusUnauthorized, "unauthorized"},
	{errNoRoute, http.StatusNotFound, "no_such_path"},
	{errMethod, http.StatusMethodNotAllowed, "method_not_allowed"},
	{errMediaType, http.StatusUnsupportedMediaType, "unsupported_media_type"},
	{errJSON, http.StatusBadRequest, "bad_json"},
	{errQuery, http.StatusBadRequest, "bad_query"},
	{errBase64, http.StatusUnprocessableEntity, "bad_base64"},

	{intake.ErrTooLong, http.StatusRequestEntityTooLarge, "body_too_large"},
	{intake.ErrSyntax, http.StatusBadRequest, "bad_json"},
	{intake.ErrField, http.StatusBadRequest, "bad_field"},
	{intake.ErrName, http.StatusUnprocessableEntity, "bad_name"},
	{intake.ErrBase64, http.StatusUnprocessableEntity, "bad_base64"},
	{intake.ErrKeyTooBig, http.StatusUnprocessableEntity, "bad_key_length"},
	{intake.ErrEmptyKey, http.StatusUnprocessableEntity, "bad_key_length"},
	{keyring.ErrKeyLength, http.StatusUnprocessableEntity, "bad_key_length"},
	{keys.ErrMismatch, http.StatusUnprocessableEntity, "bad_key"},
	{keyring.ErrUnknownType, http.StatusUnprocessableEntity, "unknown_type"},

	{keyring.ErrExists, http.StatusConflict, "name_taken"},
	{keyring.ErrManaged, http.StatusConflict, "follows_a_file"},
	{keyring.ErrNotFound, http.StatusNotFound, "no_such_key"},
	// It was deleted after it was found.
	{enclave.ErrDestroyed, http.StatusNotFound, "no_such_key"},

	{os.ErrDeadlineExceeded, http.StatusRequestTimeout, "body_too_slow"},
	{io.ErrUnexpectedEOF, http.StatusBadRequest, "body_cut_off"},
	{context.Canceled, statusClientGone, "client_gone"},

	{context.DeadlineExceeded, http.StatusServiceUnavailable, "overloaded"},
	{enclave.ErrExhausted, http.StatusServiceUnavailable, "overloaded"},
	{intake.ErrClosed, http.StatusServiceUnavailable, "shutting_down"},
	{enclave.ErrPurged, http.StatusServiceUnavailable, "shutting_down"},
	{enclave.ErrClosed, http.StatusServiceUnavailable, "shutting_down"},
	{load.ErrClosed, http.StatusServiceUnavailable, "shutting_down"},
}

// retryAfter is when a client may come back, in seconds: what occupies locked
// memory is gone within the time that a request may take to be read.
const retryAfter = "1"

// errorBody is the body of every error.
type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// refuse returns an error's status and body, and sets its headers.
func (a *API) refuse(w http.ResponseWriter, err error) (int, any) {
	status, code, message := judge(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if status == http.StatusRequestTimeout {
		w.Header().Set("Connection", "close")
	}
	var body errorBody
	body.Error.Code, body.Error.Message = code, message
	return status, body
}

func judge(err error) (status int, code, message string) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, "body_too_large",
			fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)
	}
	var limit *enclave.LimitError
	if errors.As(err, &limit) {
		// What helps is for who runs the server: it is in the log.
		return http.StatusServiceUnavailable, "overloaded", "no locked memory is left"
	}
	for _, v := range verdicts {
		if !errors.Is(err, v.err) {
			continue
		}
		if v.code == "overloaded" {
			return v.status, v.code, "all locked memory is in use: try again"
		}
		return v.status, v.code, err.Error()
	}
	return http.StatusInternalServerError, "internal", "internal error"
}

// choose returns the endpoint for a request, or one that refuses it.
func (a *API) choose(w http.ResponseWriter, r *http.Request, path string, methods map[string]endpoint) endpoint {
	if !a.allowsHost(r.Host) {
		return refusal(errHost)
	}
	if strings.HasPrefix(path, "/v1/") {
		if err := a.authorize(r); err != nil {
			return refusal(err)
		}
	}
	if methods == nil {
		return refusal(errNoRoute)
	}
	chosen, ok := methods[r.Method]
	if !ok && r.Method == http.MethodHead {
		chosen, ok = methods[http.MethodGet]
	}
	if !ok {
		w.Header().Set("Allow", allowed(methods))
		return refusal(fmt.Errorf("%w: it knows %s", errMethod, allowed(methods)))
	}
	if r.Method == http.MethodPost && !isJSON(r) {
		return refusal(errMediaType)
	}
	return chosen
}

func refusal(err error) endpoint {
	return func(http.ResponseWriter, *http.Request) (int, any, error) { return 0, nil, err }
}

func allowed(methods map[string]endpoint) string {
	var names []string
	for name := range methods {
		names = append(names, name)
		if name == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func isJSON(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "application/json"
}

// write sends an answer. If that fails the client is gone, and nobody is left
// to tell.
func write(w http.ResponseWriter, status int, body any) {
	if status == statusClientGone {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch body := body.(type) {
	case nil:
		w.WriteHeader(status)
	case html:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(body)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}
