package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
	"github.com/memkeep/memkeep/tests/keyserver/internal/keyring"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// keyInfo is what the server tells of a key.
type keyInfo struct {
	Name      string       `json:"name"`
	Type      keyring.Type `json:"type"`
	PublicKey []byte       `json:"public_key,omitempty"`
}

func infoOf(name string, k *keyring.Key) keyInfo {
	return keyInfo{Name: name, Type: k.Type(), PublicKey: k.Public()}
}

// create makes a key, or takes the one that the body brings.
func (a *API) create(w http.ResponseWriter, r *http.Request) (int, any, error) {
	body := http.MaxBytesReader(w, r.Body, intake.MaxText)
	var info keyInfo
	ctx, cancel := a.bounded(r)
	defer cancel()
	err := a.Desk.Use(ctx, func(text, key []byte) error {
		text, err := intake.ReadText(body, text)
		if err != nil {
			return err
		}
		rec, err := intake.Parse(text, key)
		if err != nil {
			return err
		}
		ctx, cancel := a.bounded(r)
		defer cancel()
		k, err := a.Ring.Create(ctx, rec, key)
		if err != nil {
			return err
		}
		info = infoOf(rec.Name, k)
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	w.Header().Set("Location", "/v1/keys/"+url.PathEscape(info.Name))
	return http.StatusCreated, info, nil
}

// list returns one page of the keys.
func (a *API) list(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errQuery, err)
	}
	limit := defaultPage
	if s := query.Get("limit"); s != "" {
		limit, err = strconv.Atoi(s)
		if err != nil || limit < 1 || limit > maxPage {
			return 0, nil, fmt.Errorf("%w: limit is a number from 1 to %d", errQuery, maxPage)
		}
	}
	page, more := a.Ring.List(query.Get("prefix"), query.Get("after"), limit)
	body := struct {
		Keys []keyInfo `json:"keys"`
		Next string    `json:"next,omitempty"` // the value of after for the next page
	}{Keys: []keyInfo{}}
	for _, e := range page {
		body.Keys = append(body.Keys, infoOf(e.Name, e.Key))
	}
	if more {
		body.Next = page[len(page)-1].Name
	}
	return http.StatusOK, body, nil
}

func (a *API) show(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	name := r.PathValue("name")
	k, err := a.Ring.Get(name)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, infoOf(name, k), nil
}

func (a *API) remove(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	return http.StatusNoContent, nil, a.Ring.Delete(r.PathValue("name"))
}

func (a *API) sign(w http.ResponseWriter, r *http.Request) (int, any, error) {
	name := r.PathValue("name")
	if _, err := a.Ring.Get(name); err != nil {
		return 0, nil, err
	}
	return a.signWith(w, r, func(ctx context.Context, message []byte) (signature []byte, err error) {
		err = a.Ring.Use(name, func(k *keyring.Key) (err error) {
			signature, err = k.Sign(ctx, message)
			return err
		})
		return signature, err
	})
}

// signWith signs the message that the body brings.
func (a *API) signWith(w http.ResponseWriter, r *http.Request,
	sign func(context.Context, []byte) ([]byte, error),
) (int, any, error) {
	var request struct {
		Message *string `json:"message"`
	}
	if err := a.decode(w, r, &request); err != nil {
		return 0, nil, err
	}
	message, err := bytesOf("message", request.Message)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := a.bounded(r)
	defer cancel()
	signature, err := sign(ctx, message)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, struct {
		Signature []byte `json:"signature"`
	}{signature}, nil
}

func (a *API) verify(w http.ResponseWriter, r *http.Request) (int, any, error) {
	name := r.PathValue("name")
	if _, err := a.Ring.Get(name); err != nil {
		return 0, nil, err
	}
	var request struct {
		Message   *string `json:"message"`
		Signature *string `json:"signature"`
	}
	if err := a.decode(w, r, &request); err != nil {
		return 0, nil, err
	}
	message, err := bytesOf("message", request.Message)
	if err != nil {
		return 0, nil, err
	}
	signature, err := bytesOf("signature", request.Signature)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := a.bounded(r)
	defer cancel()
	var valid bool
	err = a.Ring.Use(name, func(k *keyring.Key) (err error) {
		valid, err = k.Verify(ctx, message, signature)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, struct {
		Valid bool `json:"valid"`
	}{valid}, nil
}

func (a *API) health(http.ResponseWriter, *http.Request) (int, any, error) {
	body := struct {
		Status string `json:"status"`
		Count  int    `json:"key_count"`
	}{"ok", a.Ring.Count().Total}
	if a.draining.Load() {
		body.Status = "draining"
		return http.StatusServiceUnavailable, body, nil
	}
	return http.StatusOK, body, nil
}

// decode reads a body that holds no secret.
func (a *API) decode(w http.ResponseWriter, r *http.Request, to any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, a.MaxBody))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil {
		// Nothing but white space may follow.
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
		if err == nil {
			return fmt.Errorf("%w: something follows the object", errJSON)
		}
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || !isReadError(err) {
		return fmt.Errorf("%w: %s", errJSON, err)
	}
	return err
}

// isReadError tells errors of the connection and of the limit from those of the
// JSON, which have no type in common.
func isReadError(err error) bool {
	status, _, _ := judge(err)
	return status != http.StatusInternalServerError
}

// bytesOf decodes a field.
func bytesOf(name string, encoded *string) ([]byte, error) {
	if encoded == nil {
		return nil, fmt.Errorf("%w: %s is missing", errJSON, name)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(*encoded)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, errBase64)
	}
	return b, nil
}
