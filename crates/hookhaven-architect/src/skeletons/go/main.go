// Command webhook-handlers takes what the gateway delivers, and performs the effects outside beside it.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	if err := run(); err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run() error {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	// The gateway waits for an answer for 10 s at least, and has to hear that there is no connection.
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	receiver, err := NewReceiver(pool, os.Getenv)
	if err != nil {
		return err
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		RunOutbox(ctx, pool)
	}()

	listen := os.Getenv("LISTEN")
	if listen == "" {
		listen = "127.0.0.1:3000"
	}
	server := &http.Server{Addr: listen, Handler: receiver.Routes(), ReadTimeout: 30 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	slog.Info("listening", "address", listen)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// Nothing is cut off: answers under way are given, and the rows in hand are done with.
	last, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err = server.Shutdown(last)
	<-drained
	return err
}
