package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// ErrNeverSucceeds is what no later attempt can change: the event becomes a dead letter at once and waits for a person.
var ErrNeverSucceeds = errors.New("this event cannot be handled")

// Receiver answers the gateway's attempts: each is verified, read, handled once, answered.
type Receiver struct {
	pool    *pgxpool.Pool
	secrets map[string][]*standardwebhooks.Webhook
}

// NewReceiver reads the secrets of all sources. The error names the variable that has none.
func NewReceiver(pool *pgxpool.Pool, getenv func(string) string) (*Receiver, error) {
	secrets := make(map[string][]*standardwebhooks.Webhook)
	for name, source := range sources {
		// Several, separated by blanks, while one replaces the other.
		listed := strings.Fields(getenv(source.secretVariable))
		if len(listed) == 0 {
			return nil, fmt.Errorf("%s is not set: it holds the secret of %s, whsec_...", source.secretVariable, name)
		}
		for _, text := range listed {
			secret, err := standardwebhooks.NewWebhook(text)
			if err != nil {
				// What was no secret must not be shown either.
				return nil, fmt.Errorf("%s holds something that is no secret: whsec_ and base64 are wanted", source.secretVariable)
			}
			secrets[name] = append(secrets[name], secret)
		}
	}
	return &Receiver{pool: pool, secrets: secrets}, nil
}

// Routes is what the server serves.
func (r *Receiver) Routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("POST /webhooks/{source}", r.receive)
	return routes
}

// 2xx is said only after the commit; 5xx asks for another attempt; 422 with `webhook-delivery: abort-message` says that
// none would help.
func (r *Receiver) receive(w http.ResponseWriter, request *http.Request) {
	name := request.PathValue("source")
	source, known := sources[name]
	if !known {
		http.Error(w, "no such source", http.StatusNotFound)
		return
	}
	// The signature is over the bytes as they came.
	raw, err := io.ReadAll(http.MaxBytesReader(w, request.Body, bodyBytesMax))
	if err != nil {
		http.Error(w, "the body is too large, or was cut off", http.StatusRequestEntityTooLarge)
		return
	}
	log := slog.With(
		"source", name,
		"webhook_id", request.Header.Get("webhook-id"),
		"event_type", request.Header.Get("hookhaven-event-type"),
		"attempt", request.Header.Get("hookhaven-attempt"),
		// The delivery or job that this is a replay of, if a person asked for it again.
		"replay", request.Header.Get("hookhaven-replay"),
		"correlation_id", request.Header.Get("hookhaven-correlation-id"),
	)
	if err := r.verify(name, request.Header, raw); err != nil {
		log.Warn("refused", "error", err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	// `hookhaven destinations test` asks whether somebody answers; nothing happened.
	if request.Header.Get("hookhaven-test") == "true" {
		fmt.Fprint(w, "test")
		return
	}
	event, err := readEvent(name, source, request.Header, raw)
	outcome := ""
	if err == nil {
		outcome, err = handleOnce(request.Context(), r.pool, source, event)
	}
	switch {
	case err == nil:
		log.Info("done", "outcome", outcome)
		answer(w, source, event, outcome)
	case isHopeless(err):
		log.Error("given up", "error", err)
		w.Header().Set("webhook-delivery", "abort-message")
		http.Error(w, ErrNeverSucceeds.Error(), http.StatusUnprocessableEntity)
	default:
		log.Error("failed", "error", err)
		http.Error(w, "try again", http.StatusInternalServerError)
	}
}

func answer(w http.ResponseWriter, source source, event *Event, outcome string) {
	contentType, text := "text/plain; charset=utf-8", outcome
	if source.reply != nil {
		contentType, text = source.reply(event)
	}
	w.Header().Set("content-type", contentType)
	w.Header().Set("webhook-outcome", outcome)
	fmt.Fprint(w, text)
}

// verify wants one of the secrets to fit; else it answers what the library says: the signature, or a clock that is
// minutes off.
func (r *Receiver) verify(name string, headers http.Header, raw []byte) error {
	var refused error
	for _, secret := range r.secrets[name] {
		if refused = secret.Verify(raw, headers); refused == nil {
			return nil
		}
	}
	return refused
}

// isHopeless: PostgreSQL's classes 22 and 54 are values that it cannot hold, however often it is tried.
func isHopeless(err error) bool {
	if errors.Is(err, ErrNeverSucceeds) {
		return true
	}
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (strings.HasPrefix(refused.Code, "22") || strings.HasPrefix(refused.Code, "54"))
}
