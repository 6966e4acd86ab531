package leaving

import (
	"context"
	"unsafe"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/memkeep/memkeep/enclave/bearer"
)

// usePassword has the pool take the password anew for each connection, and wipe it once the
// connection is there: pgx keeps the configuration, and the password in it, for as
// long as the connection lives.
func usePassword(cfg *pgxpool.Config, password bearer.Token) {
	cfg.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		return password.UseContext(ctx, func(secret []byte) error {
			own := append([]byte(nil), secret...)
			c.Password = unsafe.String(unsafe.SliceData(own), len(own))
			return nil
		})
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		own := conn.Config().Password // a copy of the configuration, not of what the string holds
		clear(unsafe.Slice(unsafe.StringData(own), len(own)))
		return nil
	}
}
