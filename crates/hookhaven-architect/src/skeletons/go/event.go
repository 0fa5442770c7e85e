package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Event is what the handlers see, read from a verified request.
type Event struct {
	Source string
	// The same at every attempt, at the sender's own repetitions, and at replays.
	ID   string
	Type string
	// When it happened, as far as the sender says so; else when it reached the gateway. RFC 3339.
	OccurredAt string
	ReceivedAt string
	ObjectID   string
	Body       any
	// As it came, where it came as JSON.
	JSON string
}

type source struct {
	secretVariable string
	// Where the id of what an event is about stands: the first alternative that is there, its places joined.
	objectPlaces [][]string
	// Called in the event's transaction, once for each event.
	handle func(ctx context.Context, tx pgx.Tx, event *Event) error
	// What the sender is told once an event is handled, where somebody waits for it.
	reply func(event *Event) (contentType, text string)
}

func readEvent(name string, source source, headers http.Header, raw []byte) (*Event, error) {
	text := string(raw)
	var body any
	if strings.HasPrefix(headers.Get("content-type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(text)
		if err != nil {
			return nil, fmt.Errorf("%w: the body is no form", ErrNeverSucceeds)
		}
		fields := make(map[string]any)
		for field, values := range form {
			fields[field] = values[len(values)-1]
		}
		encoded, err := json.Marshal(fields)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNeverSucceeds, err)
		}
		body, text = fields, string(encoded)
	} else {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		// An id may be larger than a float64 can tell.
		decoder.UseNumber()
		err := decoder.Decode(&body)
		if _, after := decoder.Token(); err != nil || after != io.EOF {
			return nil, fmt.Errorf("%w: the body is neither JSON nor a form", ErrNeverSucceeds)
		}
	}
	event := &Event{
		Source:     name,
		ID:         headers.Get("webhook-id"),
		Type:       headers.Get("hookhaven-event-type"),
		OccurredAt: headers.Get("hookhaven-occurred-at"),
		ReceivedAt: headers.Get("hookhaven-received-at"),
		Body:       body,
		JSON:       text,
	}
	if event.OccurredAt == "" {
		event.OccurredAt = event.ReceivedAt
	}
	event.ObjectID = objectID(source, headers, body)
	if event.ObjectID == "" {
		event.ObjectID = event.ID
	}
	return event, nil
}

// IsAny tells whether the event's type is one of these; `*` stands for any run of characters, all else for itself.
func (e *Event) IsAny(patterns ...string) bool {
	for _, pattern := range patterns {
		if matches(pattern, e.Type) {
			return true
		}
	}
	return false
}

func matches(pattern, text string) bool {
	start, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	text, found := strings.CutPrefix(text, start)
	if !found {
		return false
	}
	for at := 0; at <= len(text); at++ {
		if matches(rest, text[at:]) {
			return true
		}
	}
	return false
}

func objectID(source source, headers http.Header, body any) string {
	for _, places := range source.objectPlaces {
		var parts []string
		for i, place := range places {
			part := look(place, headers, body)
			if part == "" && i == 0 {
				break
			}
			if part != "" {
				parts = append(parts, part)
			}
		}
		if len(parts) > 0 {
			return strings.Join(parts, "/")
		}
	}
	return ""
}

// look reads `header:NAME`, or `json:/a/b` for what stands in the body under a and b.
func look(place string, headers http.Header, body any) string {
	kind, name, _ := strings.Cut(place, ":")
	if kind == "header" {
		return headers.Get(name)
	}
	value := body
	for _, key := range strings.Split(name, "/")[1:] {
		key = strings.ReplaceAll(strings.ReplaceAll(key, "~1", "/"), "~0", "~")
		switch inner := value.(type) {
		case map[string]any:
			value = inner[key]
		case []any:
			at, err := strconv.Atoi(key)
			if err != nil || at < 0 || at >= len(inner) {
				return ""
			}
			value = inner[at]
		default:
			return ""
		}
	}
	switch found := value.(type) {
	case string:
		return found
	case json.Number:
		return found.String()
	default:
		return ""
	}
}
