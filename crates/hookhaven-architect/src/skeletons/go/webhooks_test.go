package main

// What must hold of every source, against a database that these tests may write to (DATABASE_URL). Every run makes names
// of its own, so rows of others do not matter; no outbox may run on it meanwhile.

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Two, as during a rotation.
const (
	current  = "whsec_Y3VycmVudC1vZi10aGUtdGVzdHM="
	previous = "whsec_cHJldmlvdXMtb2YtdGhlLXRlc3Rz"
)

//go:embed schema.sql
var schema string

// sample is an event of a source: OBJECT in its body stands for the id of what it is about.
type sample struct {
	source, eventType, body string
	keeps                   bool
	effects, follows        []string
}

type stage struct {
	*testing.T
	pool   *pgxpool.Pool
	routes http.Handler
}

// post is an event that nobody has seen, and how it is sent.
type post struct {
	id, object, at, secret string
	body                   string
	headers                map[string]string
}

func begin(t *testing.T) *stage {
	t.Helper()
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		t.Fatal("DATABASE_URL names a PostgreSQL that these tests may write to")
	}
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(context.Background(), schema); err != nil {
		t.Fatal(err)
	}
	receiver, err := NewReceiver(pool, func(string) string { return current + " " + previous })
	if err != nil {
		t.Fatal(err)
	}
	return &stage{T: t, pool: pool, routes: receiver.Routes()}
}

func fresh() post {
	return post{id: "evt_" + unique(), object: "obj_" + unique(), at: "2026-01-01T00:00:00Z", secret: current}
}

func unique() string {
	var bytes [16]byte
	if _, err := rand.Read(bytes[:]); err != nil {
		panic(err)
	}
	return hex.EncodeToString(bytes[:])
}

// send posts an event of the sample as the gateway would.
func (s *stage) send(sample sample, post post) *httptest.ResponseRecorder {
	s.Helper()
	body := post.body
	if body == "" {
		body = strings.ReplaceAll(sample.body, "OBJECT", post.object)
	}
	secret, err := standardwebhooks.NewWebhook(post.secret)
	if err != nil {
		s.Fatal(err)
	}
	now := time.Now()
	signature, err := secret.Sign(post.id, now, []byte(body))
	if err != nil {
		s.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, "/webhooks/"+sample.source, strings.NewReader(body))
	for name, value := range map[string]string{
		"content-type":          "application/json",
		"webhook-id":            post.id,
		"webhook-timestamp":     strconv.FormatInt(now.Unix(), 10),
		"webhook-signature":     signature,
		"hookhaven-source":      sample.source,
		"hookhaven-event-type":  sample.eventType,
		"hookhaven-received-at": post.at,
		"hookhaven-occurred-at": post.at,
	} {
		request.Header.Set(name, value)
	}
	for name, value := range post.headers {
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	s.routes.ServeHTTP(recorder, request)
	return recorder
}

func (s *stage) expect(sample sample, answer *httptest.ResponseRecorder, status int, outcome string) {
	s.Helper()
	if got := answer.Header().Get("webhook-outcome"); answer.Code != status || got != outcome {
		s.Errorf("%s: got %d %q, want %d %q", sample.source, answer.Code, got, status, outcome)
	}
}

func (s *stage) texts(query, value string) []string {
	s.Helper()
	rows, err := s.pool.Query(context.Background(), query, value)
	if err != nil {
		s.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.Fatal(err)
	}
	return found
}

func (s *stage) expectEffects(sample sample, post post) {
	s.Helper()
	query := "SELECT effect FROM webhook_outbox WHERE starts_with(idempotency_key, $1) ORDER BY id"
	if found := s.texts(query, sample.source+":"+post.id+":"); !reflect.DeepEqual(append([]string{}, found...), sample.effects) {
		s.Errorf("%s: got effects %q, want %q", sample.source, found, sample.effects)
	}
}

func (s *stage) expectState(sample sample, newest post) {
	s.Helper()
	found := s.texts("SELECT webhook_id FROM webhook_state WHERE object_id = $1", newest.object)
	if !reflect.DeepEqual(found, []string{newest.id}) {
		s.Errorf("%s: got %q, want %q", sample.source, found, newest.id)
	}
}

func (s *stage) isInInbox(post post) bool {
	s.Helper()
	return len(s.texts("SELECT source FROM webhook_inbox WHERE webhook_id = $1", post.id)) > 0
}

func TestAnEventThatComesAgainIsDoneOnce(t *testing.T) {
	s := begin(t)
	for _, sample := range samples {
		event := fresh()
		s.expect(sample, s.send(sample, event), 200, "handled")
		event.headers = map[string]string{"hookhaven-attempt": "2", "hookhaven-replay": "dlv_1"}
		s.expect(sample, s.send(sample, event), 200, "duplicate")
		s.expectEffects(sample, event)
	}
}

func TestAnEventThatComesFiveTimesAtOnceIsDoneOnce(t *testing.T) {
	s := begin(t)
	for _, sample := range samples {
		event := fresh()
		answers := make([]*httptest.ResponseRecorder, 5)
		var all sync.WaitGroup
		for i := range answers {
			all.Add(1)
			go func(i int) {
				defer all.Done()
				answers[i] = s.send(sample, event)
			}(i)
		}
		all.Wait()
		handled := 0
		for _, answer := range answers {
			if answer.Code != 200 {
				t.Errorf("%s: got %d", sample.source, answer.Code)
			}
			if answer.Header().Get("webhook-outcome") == "handled" {
				handled++
			}
		}
		if handled != 1 {
			t.Errorf("%s: handled %d times", sample.source, handled)
		}
		s.expectEffects(sample, event)
	}
}

func TestWhatComesLateDoesNotReplaceWhatIsNewer(t *testing.T) {
	s := begin(t)
	for _, sample := range samples {
		if !sample.keeps {
			continue
		}
		newer, older := fresh(), fresh()
		newer.at, older.at, older.object = "2026-01-01T00:00:02.5Z", "2026-01-01T00:00:01Z", newer.object
		s.expect(sample, s.send(sample, newer), 200, "handled")
		// It is handled: there is nothing to try again.
		s.expect(sample, s.send(sample, older), 200, "handled")
		s.expectState(sample, newer)
	}
}

func TestAClockThatIsAheadKeepsNothingOutForLong(t *testing.T) {
	s := begin(t)
	for _, sample := range samples {
		if !sample.keeps {
			continue
		}
		ahead, later := fresh(), fresh()
		ahead.headers = map[string]string{"hookhaven-occurred-at": "2999-01-01T00:00:00Z"}
		later.at, later.object = "2026-01-01T00:02:00Z", ahead.object
		s.expect(sample, s.send(sample, ahead), 200, "handled")
		s.expect(sample, s.send(sample, later), 200, "handled")
		s.expectState(sample, later)
	}
}

func TestAnEffectThatFollowsTheStateWaitsForTheNewestAlone(t *testing.T) {
	s := begin(t)
	for _, sample := range samples {
		if !sample.keeps {
			continue
		}
		older, newer := fresh(), fresh()
		newer.at, newer.object = "2026-01-01T00:00:01Z", older.object
		s.expect(sample, s.send(sample, older), 200, "handled")
		s.expect(sample, s.send(sample, newer), 200, "handled")
		query := "SELECT effect FROM webhook_outbox WHERE follows = $1 AND done_at IS NULL ORDER BY id"
		if found := s.texts(query, sample.source+":"+newer.object); !reflect.DeepEqual(append([]string{}, found...), sample.follows) {
			t.Errorf("%s: %q wait, want %q", sample.source, found, sample.follows)
		}
	}
}

func TestWhatTheGatewayDidNotSignIsRefusedAndLeavesNothing(t *testing.T) {
	s := begin(t)
	for _, sample := range samples {
		event := fresh()
		forged := event
		forged.secret = "whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0"
		s.expect(sample, s.send(sample, forged), 401, "")
		for _, signature := range []string{"", "v1,", "v1"} {
			cut := event
			cut.headers = map[string]string{"webhook-signature": signature}
			s.expect(sample, s.send(sample, cut), 401, "")
		}
		if s.isInInbox(event) {
			t.Errorf("%s: it is in the inbox", sample.source)
		}
		event.secret = previous
		s.expect(sample, s.send(sample, event), 200, "handled")
	}
}

func TestWhatCanNeverSucceedIsNotAskedForAgain(t *testing.T) {
	s := begin(t)
	for _, sample := range samples {
		for _, body := range []string{"{", `{"id": "\u0000"}`} {
			event := fresh()
			event.body = body
			answer := s.send(sample, event)
			s.expect(sample, answer, 422, "")
			if got := answer.Header().Get("webhook-delivery"); got != "abort-message" {
				t.Errorf("%s: webhook-delivery is %q", sample.source, got)
			}
			if s.isInInbox(event) {
				t.Errorf("%s: the inbox did not forget it with the rest", sample.source)
			}
		}
	}
}

func TestATestByTheGatewayIsAnsweredAndLeavesNothing(t *testing.T) {
	s := begin(t)
	event := fresh()
	event.headers = map[string]string{"hookhaven-test": "true"}
	s.expect(samples[0], s.send(samples[0], event), 200, "")
	if s.isInInbox(event) {
		t.Error("it is in the inbox")
	}
	nobody := samples[0]
	nobody.source = "nobody"
	s.expect(nobody, s.send(nobody, fresh()), 404, "")
}
