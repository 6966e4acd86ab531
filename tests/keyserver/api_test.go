package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// seeded returns bytes that are the same in every run, and differ by seed.
func seeded(seed string, size int) []byte {
	var out []byte
	for i := 0; len(out) < size; i++ {
		block := sha256.Sum256(fmt.Appendf(nil, "%s %d", seed, i))
		out = append(out, block[:]...)
	}
	return out[:size]
}

func macOf(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// checkKey signs and verifies over HTTP, and compares with want.
func (c *client) checkKey(name string, message, want []byte) {
	c.t.Helper()
	signed := c.call(http.StatusOK, "POST", keyPath(name)+"/sign", messageBody(message))
	if !bytes.Equal(signed.Signature, want) {
		c.t.Fatalf("%s: signature %x, want %x", name, signed.Signature, want)
	}
	changed := slices.Clone(want)
	changed[0] ^= 1
	for _, v := range []struct {
		message, signature []byte
		valid              bool
	}{
		{message, want, true},
		{message, changed, false},
		{append([]byte("x"), message...), want, false},
		{message, want[:len(want)-1], false},
		{message, nil, false},
	} {
		a := c.call(http.StatusOK, "POST", keyPath(name)+"/verify", verifyBody(v.message, v.signature))
		if a.Valid != v.valid {
			c.t.Fatalf("%s: verify says %v of %x", name, a.Valid, v.signature)
		}
	}
}

func TestSignaturesAreTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	c := start(t, spec{args: []string{"-keys", "0"}}).client()
	for i, size := range []int{0, 1, 95, 96, 97, 1000, 500_000} {
		message := seeded("message", size)
		private := ed25519.NewKeyFromSeed(seeded(fmt.Sprint("seed", i), ed25519.SeedSize))
		raw := []byte(private)
		if i%2 == 0 {
			raw = private.Seed()
		}
		name := fmt.Sprintf("ed é/%d?%%", i)
		created := c.call(http.StatusCreated, "POST", "/v1/keys", keyBody(name, "ed25519", raw))
		if !private.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(created.PublicKey)) {
			t.Fatalf("public key %x", created.PublicKey)
		}
		if want := keyPath(name); created.header.Get("Location") != want {
			t.Errorf("Location is %q, want %q", created.header.Get("Location"), want)
		}
		want := ed25519.Sign(private, message)
		c.checkKey(name, message, want)

		name = fmt.Sprint("hmac-", i)
		key := seeded(fmt.Sprint("key", i), 1+i*23)
		if a := c.call(http.StatusCreated, "POST", "/v1/keys", keyBody(name, "hmac-sha256", key)); a.PublicKey != nil {
			t.Errorf("an HMAC key has the public key %x", a.PublicKey)
		}
		c.checkKey(name, message, macOf(key, message))
	}
}

func TestRandomKeys(t *testing.T) {
	t.Parallel()
	c := start(t, spec{args: []string{"-keys", "0"}}).client()
	message := []byte("message")
	created := c.call(http.StatusCreated, "POST", "/v1/keys", `{"name":"e","type":"ed25519"}`)
	signed := c.call(http.StatusOK, "POST", "/v1/keys/e/sign", messageBody(message))
	if !ed25519.Verify(created.PublicKey, message, signed.Signature) {
		t.Error("crypto/ed25519 does not verify the signature")
	}
	c.checkKey("e", message, signed.Signature)
	c.call(http.StatusCreated, "POST", "/v1/keys", `{"name":"h","type":"hmac-sha256"}`)
	signed = c.call(http.StatusOK, "POST", "/v1/keys/h/sign", messageBody(message))
	c.checkKey("h", message, signed.Signature)

	if a := c.call(http.StatusOK, "GET", "/v1/keys/e", ""); a.Type != "ed25519" || !bytes.Equal(a.PublicKey, created.PublicKey) {
		t.Errorf("the key shows as %s", a.raw)
	}
	c.call(http.StatusNoContent, "DELETE", "/v1/keys/e", "")
	c.call(http.StatusNotFound, "DELETE", "/v1/keys/e", "")
	c.call(http.StatusNotFound, "GET", "/v1/keys/e", "")
	c.call(http.StatusNotFound, "POST", "/v1/keys/e/sign", messageBody(message))
	c.call(http.StatusCreated, "POST", "/v1/keys", `{"name":"e","type":"hmac-sha256"}`)
}

func TestList(t *testing.T) {
	t.Parallel()
	c := start(t, spec{args: []string{"-keys", "25"}}).client()
	for _, name := range []string{"b", "key-", "key-0000", "keyz", "a"} {
		c.call(http.StatusCreated, "POST", "/v1/keys", fmt.Sprintf(`{"name":%q,"type":"hmac-sha256"}`, name))
	}
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprintf("key-%06d", i))
	}
	want = append(want, "key-", "key-0000")
	slices.Sort(want)
	var got []string
	for after, pages := "", 0; ; pages++ {
		page := c.call(http.StatusOK, "GET", "/v1/keys?prefix=key-&limit=10&after="+after, "")
		if len(page.Keys) > 10 || pages > 3 {
			t.Fatalf("page %d of %d keys", pages, len(page.Keys))
		}
		for _, k := range page.Keys {
			got = append(got, k.Name)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	for query, want := range map[string]int{"": 30, "?prefix=none": 0, "?after=key-000023": 2, "?prefix=a": 1, "?limit=1": 1, "?prefix=b&after=zz": 0} {
		if a := c.call(http.StatusOK, "GET", "/v1/keys"+query, ""); len(a.Keys) != want {
			t.Errorf("%q lists %d keys, want %d", query, len(a.Keys), want)
		}
	}
	for _, query := range []string{"limit=0", "limit=-1", "limit=1001", "limit=x", "limit=1;2", "prefix=%zz"} {
		c.call(http.StatusBadRequest, "GET", "/v1/keys?"+query, "")
	}
}

// Every kind of request that is wrong, and the key named k, which is right.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	server := start(t, spec{args: []string{"-keys", "0", "-max-body", "4096"}})
	c := server.client()
	c.call(http.StatusCreated, "POST", "/v1/keys", `{"name":"k","type":"ed25519"}`)
	long := strings.Repeat("A", 8192)
	foreign := slices.Concat(seeded("one", 32), seeded("other", 32))
	for _, r := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/none", "", 404, "no_such_path"},
		{"POST", "/", "{}", 405, "method_not_allowed"},
		{"GET", "/v1/keys/k/other", "", 404, "no_such_path"},
		{"PUT", "/v1/keys", "{}", 405, "method_not_allowed"},
		{"GET", "/v1/keys/k/sign", "", 405, "method_not_allowed"},
		{"POST", "/v1/keys/k", "{}", 405, "method_not_allowed"},
		{"POST", "/healthz", "{}", 405, "method_not_allowed"},
		{"BREW", "/v1/keys", "", 405, "method_not_allowed"},

		{"POST", "/v1/keys", "", 400, "bad_json"},
		{"POST", "/v1/keys", "{", 400, "bad_json"},
		{"POST", "/v1/keys", "[]", 400, "bad_json"},
		{"POST", "/v1/keys", `{"name":"x","type":"ed25519"} x`, 400, "bad_json"},
		{"POST", "/v1/keys", `{"name":5,"type":"ed25519"}`, 400, "bad_json"},
		{"POST", "/v1/keys", `{"name":"\ud800","type":"ed25519"}`, 400, "bad_json"},
		{"POST", "/v1/keys", `{"name":"x"}`, 400, "bad_field"},
		{"POST", "/v1/keys", `{"name":"x","type":"ed25519","size":"1"}`, 400, "bad_field"},
		{"POST", "/v1/keys", `{"name":"x","name":"y","type":"ed25519"}`, 400, "bad_field"},
		{"POST", "/v1/keys", `{"name":"","type":"ed25519"}`, 422, "bad_name"},
		{"POST", "/v1/keys", `{"name":"a\nb","type":"ed25519"}`, 422, "bad_name"},
		{"POST", "/v1/keys", `{"name":"` + long[:200] + `","type":"ed25519"}`, 422, "bad_name"},
		{"POST", "/v1/keys", `{"name":"x","type":"rsa"}`, 422, "unknown_type"},
		{"POST", "/v1/keys", `{"name":"x","type":"ed25519","key":"A"}`, 422, "bad_base64"},
		{"POST", "/v1/keys", `{"name":"x","type":"ed25519","key":""}`, 422, "bad_key_length"},
		{"POST", "/v1/keys", keyBody("x", "ed25519", make([]byte, 33)), 422, "bad_key_length"},
		{"POST", "/v1/keys", keyBody("x", "hmac-sha256", make([]byte, 1025)), 422, "bad_key_length"},
		{"POST", "/v1/keys", keyBody("x", "ed25519", foreign), 422, "bad_key"},
		{"POST", "/v1/keys", `{"name":"k","type":"ed25519"}`, 409, "name_taken"},
		{"POST", "/v1/keys", `{"name":"` + long, 413, "body_too_large"},

		{"POST", "/v1/keys/none/sign", messageBody(nil), 404, "no_such_key"},
		{"POST", "/v1/keys/k/sign", "", 400, "bad_json"},
		{"POST", "/v1/keys/k/sign", "{}", 400, "bad_json"},
		{"POST", "/v1/keys/k/sign", `{"message":5}`, 400, "bad_json"},
		{"POST", "/v1/keys/k/sign", `{"message":""}{}`, 400, "bad_json"},
		{"POST", "/v1/keys/k/sign", `{"message":"","other":1}`, 400, "bad_json"},
		{"POST", "/v1/keys/k/sign", `{"message":"A"}`, 422, "bad_base64"},
		{"POST", "/v1/keys/k/sign", `{"message":"` + long + `"}`, 413, "body_too_large"},
		{"POST", "/v1/keys/k/sign", `{"message":""}` + strings.Repeat(" ", 8192), 413, "body_too_large"},
		{"POST", "/v1/keys/none/verify", verifyBody(nil, nil), 404, "no_such_key"},
		{"POST", "/v1/keys/k/verify", messageBody(nil), 400, "bad_json"},
		{"POST", "/v1/keys/k/verify", `{"message":"","signature":"!"}`, 422, "bad_base64"},
		{"DELETE", "/v1/keys/none", "", 404, "no_such_key"},
	} {
		a := c.call(r.status, r.method, r.path, r.body)
		if a.Error.Code != r.code || a.Error.Message == "" {
			t.Errorf("%s %s %.40s: %s, want the code %s", r.method, r.path, r.body, a.raw, r.code)
		}
		if r.status == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow header", r.method, r.path)
		}
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json;"} {
		request, err := http.NewRequest("POST", server.base+"/v1/keys/k/sign", strings.NewReader(messageBody(nil)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", contentType)
		a, err := c.send(request)
		want := http.StatusUnsupportedMediaType
		if contentType == "application/json;" {
			want = http.StatusOK // a parameter may follow
		}
		if err != nil || a.status != want {
			t.Errorf("Content-Type %q: status %d, %v, want %d", contentType, a.status, err, want)
		}
	}
	c.call(http.StatusOK, "POST", "/v1/keys/k/sign", messageBody(nil))
}

func TestMetricsAndHealth(t *testing.T) {
	t.Parallel()
	c := start(t, spec{args: []string{"-keys", "4"}}).client()
	if a := c.call(http.StatusOK, "GET", "/healthz", ""); a.Status != "ok" {
		t.Errorf("health: %s", a.raw)
	}
	for range 3 {
		c.call(http.StatusOK, "POST", "/v1/keys/key-000001/sign", messageBody(nil))
	}
	c.call(http.StatusNotFound, "POST", "/v1/keys/none/sign", messageBody(nil))
	metrics := c.call(http.StatusOK, "GET", "/metrics", "").raw
	for _, want := range []string{
		`keyserver_requests_total{code="200",method="POST",route="/v1/keys/{name}/sign"} 3`,
		`keyserver_requests_total{code="404",method="POST",route="/v1/keys/{name}/sign"} 1`,
		`keyserver_request_duration_seconds_count{method="POST",route="/v1/keys/{name}/sign"} 4`,
		`keyserver_keys{type="ed25519"} 2`,
		`keyserver_keys{type="hmac-sha256"} 2`,
		`memkeep_seals_total 4`,
		`memkeep_locked_bytes `,
		`memkeep_budget_bytes `,
		`memkeep_waiters 0`,
		`memkeep_decrypt_failures_total 0`,
		`memkeep_session_info{backend="`,
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
