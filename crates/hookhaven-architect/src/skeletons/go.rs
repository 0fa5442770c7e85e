//! The project for Go: net/http, pgx.

use super::{
    Project,
    handled::{Handled, Outside},
    literal,
};
use crate::File;

/// Of a list on one line: what stands around it needs room too.
const LIST_CHARS_MAX: usize = 80;

pub fn files(project: &Project<'_>) -> Vec<File> {
    let mut files: Vec<File> = [
        ("go.mod", include_str!("go/go.mod.text")),
        ("main.go", include_str!("go/main.go")),
        ("receive.go", include_str!("go/receive.go")),
        ("event.go", include_str!("go/event.go")),
        ("once.go", include_str!("go/once.go")),
        ("outbox.go", include_str!("go/outbox.go")),
        ("webhooks_test.go", include_str!("go/webhooks_test.go")),
    ]
    .map(|(path, text)| File::new(path, text))
    .to_vec();
    files.push(File::new("effects.go", effects(project)));
    files.push(File::new("sources.go", sources(project)));
    files.push(File::new("samples_test.go", samples(project)));
    // The ending keeps names such as `x-linux` from meaning something to the compiler.
    let own = |handled: &Handled<'_>| File::new(format!("{}_handlers.go", handled.word()), one(handled));
    files.extend(project.handled.iter().map(own));
    files
}

fn sources(project: &Project<'_>) -> String {
    let mut text = format!(
        "package main\n\n// The largest body that the gateway takes of any sender.\nconst bodyBytesMax = {}\n\n\
         // Every source: where its secret is, where the id of what an event is about stands, who handles it.\n\
         var sources = map[string]source{{\n",
        project.body_bytes_max
    );
    for handled in &project.handled {
        // A comment between two lines ends what gofmt aligns.
        let gap = if handled.object_places.is_empty() { "" } else { "  " };
        let name = type_of(handled);
        let reply = handled.reply.map(|_| format!("\t\treply:        {gap}{name}{{}}.reply,\n"));
        let reply = reply.unwrap_or_default();
        text += &format!(
            "\t{}: {{\n\t\tsecretVariable: {},\n{}\t\tobjectPlaces: {}[][]string{{{}}},\n\t\thandle:       {}{},\n{}\t}},\n",
            literal::wide(handled.name),
            literal::wide(handled.secret_variable),
            handled.unknown_object("\t\t// "),
            gap,
            places(handled),
            gap,
            format_args!("{name}{{}}.handle"),
            reply
        );
    }
    text + "}\n"
}

fn places(handled: &Handled<'_>) -> String {
    let one = |places: &Vec<String>| {
        let inner: Vec<String> = places.iter().map(|place| literal::wide(place)).collect();
        format!("{{{}}}", inner.join(", "))
    };
    handled.object_places.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A type for each source, whose methods can be called what those of others are called: `stripeEvents`.
fn type_of(handled: &Handled<'_>) -> String {
    let camel = literal::camel(&handled.word());
    format!("{}{}Events", camel[..1].to_ascii_lowercase(), &camel[1..])
}

fn one(handled: &Handled<'_>) -> String {
    let name = type_of(handled);
    let mut text = format!(
        "package main\n\n\
         import (\n\t\"context\"\n\n\t\"github.com/jackc/pgx/v5\"\n)\n\n\
         // What the events of {} do: a method for each group of types that is treated alike.\n\
         //\n\
         // Each is called once for an event, in its transaction: what is written with tx is there if, and only if, the\n\
         // event is in the inbox. Effects outside go through enqueue. Wrap ErrNeverSucceeds for what no later attempt can\n\
         // change; any other error is tried again.\n\
         type {name} struct{{}}\n\n\
         func (e {name}) handle(ctx context.Context, tx pgx.Tx, event *Event) error {{\n\tswitch {{\n",
        handled.title
    );
    for group in &handled.groups {
        let types: Vec<String> = group.events.iter().map(|event| literal::wide(event)).collect();
        let types = literal::list(&types, "\t", "\t", LIST_CHARS_MAX);
        let on = literal::camel(&group.word);
        text += &format!("\tcase event.IsAny({types}):\n\t\treturn e.on{on}(ctx, tx, event)\n");
    }
    text +=
        "\tdefault:\n\t\t// Types that nobody handles are taken note of, and that is all.\n\t\treturn nil\n\t}\n}\n";
    for group in &handled.groups {
        text += &format!(
            "\n// {}\nfunc ({name}) on{}(ctx context.Context, tx pgx.Tx, event *Event) error {{\n",
            group.urgency,
            literal::camel(&group.word)
        );
        text += &body(handled);
        text += "}\n";
    }
    if let Some(reply) = handled.reply {
        text += &format!(
            "\n// What the sender is told once the event is handled: somebody sees it. An event that comes again is answered\n\
             // again, so it has to follow from the event alone.\n\
             func ({name}) reply(_ *Event) (contentType, text string) {{\n\treturn {}, {}\n}}\n",
            literal::wide(reply.content_type),
            literal::wide(reply.text)
        );
    }
    text
}

fn body(handled: &Handled<'_>) -> String {
    let (follows, each) = handled.by_state();
    let enqueue = |function: &str, word: &str, indent: &str| {
        format!(
            "{indent}if err := {function}(ctx, tx, event, {}); err != nil {{\n{indent}\treturn err\n{indent}}}\n",
            literal::wide(word)
        )
    };
    let mut text = String::new();
    match (handled.keeps, follows.is_empty()) {
        (true, true) => text += "\tif _, err := keepNewest(ctx, tx, event); err != nil {\n\t\treturn err\n\t}\n",
        (true, false) => {
            text += "\tnewest, err := keepNewest(ctx, tx, event)\n\tif err != nil {\n\t\treturn err\n\t}\n";
            text += "\t// Not by what comes late: it would give back what was taken.\n\tif newest {\n";
            for outside in follows {
                text += &enqueue("enqueueNewest", outside.word(), "\t\t");
            }
            text += "\t}\n";
        }
        (false, _) => {}
    }
    for outside in each {
        text += &enqueue("enqueue", outside.word(), "\t");
    }
    text + "\treturn nil\n"
}

fn effects(project: &Project<'_>) -> String {
    let all = project.effects();
    let mut text = String::from(
        "package main\n\n\
         // What is done to the world outside, after the commit of the event behind it. Each gets a key that is the same at\n\
         // every try: pass it to the provider as its idempotency key. Put your provider's client in place of the post.\n\n",
    );
    text += IMPORTS;
    let widest = all.iter().map(|effect| effect.word().len()).max().unwrap_or(0);
    text += "\nvar effects = map[string]perform{";
    text += if all.is_empty() { "" } else { "\n" };
    for effect in &all {
        let padding = " ".repeat(widest - effect.word().len());
        text += &format!("\t\"{}\": {padding}{},\n", effect.word(), function(effect.word()));
    }
    text += "}\n";
    for effect in &all {
        text += &format!(
            "\n// {}\nfunc {}(ctx context.Context, payload, key string) error {{\n\treturn postTo(ctx, \"{}\", payload, key)\n}}\n",
            effect.about(),
            function(effect.word()),
            effect.variable()
        );
    }
    text + POST
}

fn function(word: &str) -> String {
    format!("do{}", literal::camel(word))
}

const IMPORTS: &str =
    "import (\n\t\"context\"\n\t\"errors\"\n\t\"fmt\"\n\t\"net/http\"\n\t\"net/url\"\n\t\"os\"\n\t\"strings\"\n)\n";

const POST: &str = r#"
// A redirect that is followed becomes a GET, and answers 200 to nothing.
var client = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// postTo posts to the address in this variable; an error unless the answer is 2xx, and then it is tried again.
func postTo(ctx context.Context, variable, payload, key string) error {
	address := os.Getenv(variable)
	if address == "" {
		return fmt.Errorf("%s is not set", variable)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(payload))
	if err != nil {
		return fmt.Errorf("%s holds no URL", variable)
	}
	request.Header.Set("content-type", "application/json")
	request.Header.Set("idempotency-key", key)
	response, err := client.Do(request)
	if err != nil {
		// Without the address, which may hold a secret.
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err
		}
		return fmt.Errorf("%s is not reached: %w", variable, err)
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("%s answers %d", variable, response.StatusCode)
	}
	return nil
}
"#;

fn samples(project: &Project<'_>) -> String {
    let mut text = String::from(
        "package main\n\n// An event for each group of types: OBJECT stands for the id of what it is about.\n\
         var samples = []sample{\n",
    );
    for handled in &project.handled {
        let words = |effects: Vec<Outside>| {
            effects.iter().map(|outside| literal::wide(outside.word())).collect::<Vec<_>>().join(", ")
        };
        for sample in handled.samples() {
            text += &format!(
                "\t{{\n\t\tsource:    {},\n\t\teventType: {},\n\t\tbody:      {},\n\t\tkeeps:     {},\n\t\t\
                 effects:   []string{{{}}},\n\t\tfollows:   []string{{{}}},\n\t}},\n",
                literal::wide(handled.name),
                literal::wide(&sample.event_type),
                literal::wide(&sample.body),
                handled.keeps && sample.has_object,
                words(handled.in_order()),
                words(handled.by_state().0)
            );
        }
    }
    text + "}\n"
}
