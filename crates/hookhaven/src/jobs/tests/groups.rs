//! Jobs over a group of dead letters that have one cause.

use super::*;

#[tokio::test]
async fn of_a_group_one_goes_first_and_then_the_others_of_it_alone() {
    let scene = Scene::new();
    let answers = ["no such order 1 ", "no such order 22", "the database is gone"];
    for round in 0..30 {
        payments(&scene, 4).await;
        assert_eq!(scene.kill_saying(answers[round % 3], "billing").await, 4);
    }
    let groups = scene.get("/api/v1/dead-letters/groups").await.json();
    let [orders, _] = &groups["items"].as_array().unwrap()[..] else { panic!("{groups:#}") };
    assert_eq!(orders["letter_count"], 80);
    // One that dies after the look is of the group too.
    payments(&scene, 1).await;
    scene.kill_saying("no such order 333", "billing").await;

    let filter = json!({"group": orders["id"]});
    let id = ask(&scene, json!({"act": "replay", "one_first": true, "filter": filter})).await;
    let job = until(&scene, &id, |job| !job["first"].is_null()).await;
    assert_eq!((&job["matched"], &job["done"], pending(&scene, "billing").await), (&81.into(), &1.into(), 1));
    scene.settle("billing", ErrorClass::Ok, Some(200), Next::Delivered).await;
    scene.clock.advance(Duration::from_secs(1));
    let job = ended(&scene, &id).await;
    assert_eq!((&job["state"], &job["done"], pending(&scene, "billing").await), (&"done".into(), &81.into(), 80));
    let left = scene.get("/api/v1/dead-letters/groups").await.json();
    assert_eq!((&left["group_count"], &left["letter_count"]), (&1.into(), &40.into()));
    assert_eq!(left["items"][0]["cause"], "it said \u{1b}[31mno: the database is gone");
    assert_eq!(dead_letters(&scene).await, 40);

    let events = json!({"act": "replay", "of": "events", "filter": filter});
    assert_eq!(scene.post("/api/v1/jobs", events).await.code(), "bad_job");
}

#[tokio::test]
async fn a_page_of_a_group_holds_no_more_of_it_than_is_asked_for() {
    let scene = Scene::new();
    for _ in 0..40 {
        for answer in ["it is broken", "it is late"] {
            payments(&scene, 1).await;
            assert_eq!(scene.kill_saying(answer, "billing").await, 1);
        }
    }
    let groups = scene.get("/api/v1/dead-letters/groups").await.json();
    let group = groups["items"][0]["id"].as_str().unwrap().parse().unwrap();
    let filter = JobFilter { group: Some(group), ..JobFilter::default() };
    let jobs = scene.node(scene.store.clone(), "idle");
    let (job, _) = jobs.make(Order { filter, ..Order::new(Act::Replay) }, None).await.unwrap();
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let walk = Walk::all(&job.spec)[0];
        let page = walk.page(&*scene.store, &job.spec, after.as_deref(), 3).await.unwrap();
        let items: usize = page.rows.iter().map(|row| row.items.len()).sum();
        found.push(items);
        after = page.rows.last().map(|row| row.after.clone());
        if page.last {
            break;
        }
    }
    assert_eq!((found.iter().max(), found.iter().sum::<usize>()), (Some(&3), 40), "{found:?}");
}
