package bearer_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/bearer"
)

func Example() {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, len(r.Header.Get("Authorization")), "bytes of authorization")
	}))
	defer server.Close()

	token, err := enclave.New([]byte("correct horse battery staple")) // or load.File
	if err != nil {
		log.Fatal(err)
	}
	transport, err := bearer.New(token, bearer.Config{
		Host: server.Listener.Addr().String(),
		Base: server.Client().Transport.(*http.Transport), // trusts the server's certificate
	})
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	resp, err := client.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(body))
	fmt.Println(len(resp.Request.Header), "headers in the request that the program made")
	// Output:
	// 35 bytes of authorization
	// 0 headers in the request that the program made
}
