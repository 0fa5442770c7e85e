//! Publishing, end to end: what the API's documentation promises, tried on real sockets and real stores.

mod calls;
mod groups;
mod managed;
mod queues;
mod retries;
mod schedules;
