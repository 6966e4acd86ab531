package leaving

import (
	"context"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/memkeep/memkeep/enclave/keys/scram"
)

// usePassword has each connection of the pool log in with the password, which pgx never
// sees.
func usePassword(cfg *pgxpool.Config, password scram.Password) {
	cfg.ConnConfig.AfterNetConnect = func(ctx context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
		return scram.PostgreSQL(ctx, conn, password), nil
	}
}
