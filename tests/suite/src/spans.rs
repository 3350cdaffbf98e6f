//! [`Spans`]: a subscriber that keeps every span and what happened inside it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest, NoSubscriber};
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Keeps every span of this thread and what happened inside it. Clones keep the same.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    all: Arc<Mutex<Vec<Traced>>>,
    left_out: Option<&'static str>,
}

/// A span as it was when it was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Traced {
    /// Its place among all spans.
    pub index: usize,
    /// Its name.
    pub name: &'static str,
    /// Its target.
    pub target: &'static str,
    /// The place of its parent.
    pub parent: Option<usize>,
    /// What was recorded, as text.
    pub fields: BTreeMap<&'static str, String>,
    /// The messages of the events inside it, but not inside its children.
    pub events: Vec<String>,
    /// It is over.
    pub closed: bool,
}

/// A span's place among all, kept with the span.
struct Index(usize);

impl Spans {
    /// All spans but those of this name, which nobody wants.
    pub fn without(name: &'static str) -> Self {
        Self { left_out: Some(name), ..Self::default() }
    }

    /// From now on the spans of this thread are kept, until the guard is dropped. Threads of other
    /// tests are not affected.
    pub fn keep(&self) -> DefaultGuard {
        // While there is a single subscriber in the process, a thread that has none may have the
        // last word on what is of interest. So there always is another one.
        static OTHER: OnceLock<Dispatch> = OnceLock::new();
        OTHER.get_or_init(|| Dispatch::new(NoSubscriber::default()));
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    /// All spans so far, in the order in which they began.
    pub fn all(&self) -> Vec<Traced> {
        self.lock().clone()
    }

    /// Those of this name.
    pub fn named(&self, name: &str) -> Vec<Traced> {
        self.lock().iter().filter(|span| span.name == name).cloned().collect()
    }

    /// The one of this name.
    ///
    /// # Panics
    ///
    /// If there is none or more than one.
    pub fn only(&self, name: &str) -> Traced {
        let mut named = self.named(name);
        assert_eq!(named.len(), 1, "spans of the name {name}: {named:#?}");
        named.remove(0)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Traced>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<S>(&self, id: &Id, cx: &Context<'_, S>, change: impl FnOnce(&mut Traced))
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if let Some(index) = index(id, cx) {
            change(&mut self.lock()[index]);
        }
    }
}

impl Traced {
    /// What was recorded under this name; empty if nothing was.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl<S> Layer<S> for Spans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // Each thread is asked whether it wants the span.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        !metadata.is_span() || self.left_out != Some(metadata.name())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let span = cx.span(id).expect("it has just been made");
        let parent = span.parent().and_then(|parent| index(&parent.id(), &cx));
        let (metadata, mut fields) = (attributes.metadata(), BTreeMap::new());
        attributes.record(&mut Fields(&mut fields));
        let mut all = self.lock();
        let index = all.len();
        all.push(Traced {
            index,
            name: metadata.name(),
            target: metadata.target(),
            parent,
            fields,
            events: Vec::new(),
            closed: false,
        });
        span.extensions_mut().insert(Index(index));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        self.change(id, &cx, |span| values.record(&mut Fields(&mut span.fields)));
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        if let Some(span) = cx.event_span(event) {
            let message = fields.remove("message").unwrap_or_default();
            self.change(&span.id(), &cx, |span| span.events.push(message));
        }
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        self.change(&id, &cx, |span| span.closed = true);
    }
}

fn index<S>(id: &Id, cx: &Context<'_, S>) -> Option<usize>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    cx.span(id)?.extensions().get::<Index>().map(|index| index.0)
}

/// Writes fields down as text.
struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
