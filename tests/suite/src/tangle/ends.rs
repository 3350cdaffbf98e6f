//! The two ends of each call of a [`Tangle`](super::Tangle).

use std::sync::{Arc, Mutex, PoisonError};

use broach_core::{Channel, Code, Receiver, Sender, Status, stream};
use tokio::time::{Instant, sleep, timeout};

use super::plan::{Flow, Habit, Handler, Plan, Shape};
use super::{Notes, Tangle};
use crate::Dialog;
use crate::broach::testing::v1::{DialogClient, Item, ProbeClient};
use crate::dice::Dice;
use crate::requests::echo_bytes;

/// A node, as its callers and handlers know it: the ways to all nodes, itself among them.
#[derive(Clone, Debug)]
pub(super) struct Neighbours {
    number: u8,
    bytes_max: u64,
    channels: Arc<Mutex<Vec<Channel>>>,
    notes: Notes,
}

/// How somebody has come to the end of a stream.
#[derive(Debug)]
enum End {
    /// All was read, or written, or as much as was wanted.
    Done,
    /// The call ended first.
    Failed(Status),
    /// It was noted as wrong.
    Stuck,
}

impl Neighbours {
    pub(super) fn new(number: u8, bytes_max: u64, notes: Notes) -> Self {
        Self { number, bytes_max, channels: Arc::default(), notes }
    }

    /// The way to the next node, beginning with the first.
    pub(super) fn add(&self, channel: Channel) {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
    }

    pub(super) fn forget(&self) {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What the node serves.
    pub(super) fn dialog(&self) -> Dialog {
        let [tells, asks, talks] = [0; 3].map(|_| self.clone());
        Dialog::new()
            .tell(move |_, item, mut replies| {
                let this = tells.clone();
                async move {
                    let (plan, _) = this.plan_of(&item);
                    ended(this.write(&plan.replies, &mut replies, "a handler of Tell").await)
                }
            })
            .ask(move |_, mut requests| {
                let this = asks.clone();
                async move {
                    let Some(first) = requests.message().await? else { return Ok(item(0)) };
                    let (plan, from) = this.plan_of(&first);
                    ended(this.read_and_act(plan, from, &mut requests).await)?;
                    Ok(plan.replies.message(0))
                }
            })
            .talk(move |_, requests, replies| {
                let this = talks.clone();
                async move { this.talk(requests, replies).await }
            })
    }

    /// Makes a call.
    pub(super) async fn make(&self, plan: Plan, to: u8) {
        let call = self.call(plan, to);
        let code = match plan.dropped_after {
            None => Some(call.await),
            Some(after) => timeout(after, call).await.ok(),
        };
        let expected = [Code::Ok, Code::Cancelled, Code::Aborted, Code::ResourceExhausted];
        if code.is_some_and(|code| !expected.contains(&code)) {
            self.notes.wrong(format!("{code:?} of {plan:?} from {} to {to}", self.number));
        }
        *self.notes.lock().ended.entry(code).or_default() += 1;
    }

    async fn call(&self, plan: Plan, to: u8) -> Code {
        let client = DialogClient::new(self.channel(to));
        // So the handler knows what to do.
        let first = self.first(plan);
        let result = match plan.shape {
            Shape::Unary => self.unary(plan.key, plan.requests.message(0).payload.len(), to).await,
            Shape::Tell => match self.within("a caller of Tell", client.tell(first)).await {
                Ok(mut replies) => {
                    let flow = plan.replies;
                    result(self.read([flow, flow], &mut replies, "a caller of Tell").await)
                }
                Err(status) => Err(status),
            },
            Shape::Ask => {
                let (requests, fed) = stream::channel(1);
                let writes = self.feed(first, plan, requests);
                let asks = self.within("a caller of Ask", client.ask(fed));
                tokio::join!(writes, asks).1.map(|_| ())
            }
            Shape::Talk => {
                let (requests, fed) = stream::channel(2);
                let writes = self.feed(first, plan, requests);
                let reads = async {
                    let mut replies = self.within("a caller of Talk", client.talk(fed)).await?;
                    let echoes = plan.handler == Handler::Echoes;
                    let sent = if echoes { plan.requests } else { plan.replies };
                    let flows = [plan.replies, sent];
                    result(self.read(flows, &mut replies, "a caller of Talk").await)
                };
                // Whoever has read as much as was wanted drops the rest of the call.
                tokio::pin!(writes, reads);
                tokio::select! {
                    biased;
                    read = &mut reads => read,
                    _ = &mut writes => reads.await,
                }
            }
        };
        result.map_or_else(|status| status.code(), |()| Code::Ok)
    }

    /// Sends the first message of a stream and then all others.
    async fn feed(&self, first: Item, plan: Plan, mut requests: Sender<Item>) -> End {
        if requests.send(first).await.is_err() {
            return End::Done;
        }
        self.write(&plan.requests, &mut requests, "a caller").await
    }

    async fn unary(&self, token: u64, bytes: usize, to: u8) -> Result<(), Status> {
        let client = ProbeClient::new(self.channel(to));
        let request = echo_bytes(token, bytes);
        let reply = client.echo(request.clone()).timeout(Tangle::PATIENCE).await?;
        if reply.payload != request.payload {
            self.notes.wrong(format!("an echo of {bytes} bytes is another one"));
        }
        Ok(())
    }

    async fn talk(
        &self,
        mut requests: Receiver<Item>,
        mut replies: Sender<Item>,
    ) -> Result<(), Status> {
        let Some(first) = requests.message().await? else { return Ok(()) };
        let (plan, from) = self.plan_of(&first);
        match plan.handler {
            Handler::Forwards if 0 < first.payload[8] => {
                self.forward(first, requests, replies).await
            }
            Handler::Echoes => {
                while let Some(item) = requests.message().await? {
                    let sent = timeout(Tangle::PATIENCE, replies.send(item)).await;
                    sent.unwrap_or_else(|_| Err(self.stuck("an echo that is written")))?;
                }
                Ok(())
            }
            Handler::Fails(after) => {
                for _ in 0..after {
                    if requests.message().await?.is_none() {
                        break;
                    }
                }
                Err(Status::aborted("as planned"))
            }
            Handler::Apart | Handler::CallsBack | Handler::Forwards => {
                let reads = self.read_and_act(plan, from, &mut requests);
                let writes = self.write(&plan.replies, &mut replies, "a handler of Talk");
                let (read, wrote) = tokio::join!(reads, writes);
                ended(read)?;
                ended(wrote)
            }
        }
    }

    /// Passes a stream on to the next node, both ways.
    async fn forward(
        &self,
        mut first: Item,
        mut requests: Receiver<Item>,
        mut replies: Sender<Item>,
    ) -> Result<(), Status> {
        first.payload[8] -= 1;
        let nodes = self.channels.lock().unwrap_or_else(PoisonError::into_inner).len();
        let client = DialogClient::new(self.channel(self.number % nodes as u8 + 1));
        let (mut onward, fed) = stream::channel(1);
        let there = async {
            let mut next = Some(first);
            while let Some(item) = next {
                if onward.send(item).await.is_err() {
                    break;
                }
                next = requests.message().await?;
            }
            drop(onward);
            Ok::<_, Status>(())
        };
        let back = async {
            let mut answers = self.within("one who passes on", client.talk(fed)).await?;
            while let Some(item) = answers.message().await? {
                replies.send(item).await?;
            }
            Ok(())
        };
        tokio::pin!(there, back);
        // The call ends when the next node has ended its own.
        tokio::select! {
            biased;
            done = &mut back => done,
            there = &mut there => { there?; back.await }
        }
    }

    /// Reads as planned, and may make a call after each message.
    async fn read_and_act(&self, plan: Plan, from: u8, requests: &mut Receiver<Item>) -> End {
        if plan.handler != Handler::CallsBack {
            return self.read([plan.requests; 2], requests, "a handler").await;
        }
        let mut number = 0;
        loop {
            let item = match self.next(requests, "a handler that calls back").await {
                Ok(Some(item)) => item,
                Ok(None) => return End::Done,
                Err(end) => return end,
            };
            self.check(&plan.requests, number, &item);
            number += 1;
            // That there is no room for it there is no reason to end here.
            match self.unary(plan.key, item.payload.len(), from).await {
                Err(status) if status.code() == Code::DeadlineExceeded => {
                    self.stuck("a call back");
                    return End::Stuck;
                }
                _ => {}
            }
        }
    }

    /// Reads as the first of these is read a stream as the second is sent.
    async fn read(&self, [flow, sent]: [Flow; 2], receiver: &mut Receiver<Item>, who: &str) -> End {
        let mut dice = Dice::new(flow.messages);
        if let Habit::Late(after) = flow.habit {
            sleep(after).await;
        }
        for number in 0.. {
            match flow.habit {
                Habit::Some(count) if count <= number => return End::Done,
                Habit::Slowly(pause) => sleep(pause.mul_f64(dice.fraction())).await,
                _ => {}
            }
            match self.next(receiver, who).await {
                Ok(Some(item)) => self.check(&sent, number, &item),
                Ok(None) => return End::Done,
                Err(end) => return end,
            }
        }
        End::Done
    }

    async fn next(&self, receiver: &mut Receiver<Item>, who: &str) -> Result<Option<Item>, End> {
        let begun = Instant::now();
        let message = timeout(Tangle::PATIENCE, receiver.message()).await;
        self.waited(begun);
        match message {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(status)) => Err(End::Failed(status)),
            Err(_) => {
                self.stuck(&format!("{who} that reads"));
                Err(End::Stuck)
            }
        }
    }

    async fn write(&self, flow: &Flow, sender: &mut Sender<Item>, who: &str) -> End {
        let mut dice = Dice::new(flow.messages);
        for number in 0..flow.messages {
            sleep(flow.pause.mul_f64(dice.fraction())).await;
            let begun = Instant::now();
            let sent = timeout(Tangle::PATIENCE, sender.send(flow.message(number))).await;
            self.waited(begun);
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(status)) => return End::Failed(status),
                Err(_) => {
                    self.stuck(&format!("{who} that writes"));
                    return End::Stuck;
                }
            }
        }
        End::Done
    }

    /// An answer that has to come in time.
    async fn within<T>(
        &self,
        who: &str,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        timeout(Tangle::PATIENCE, call).await.unwrap_or_else(|_| Err(self.stuck(who)))
    }

    fn check(&self, flow: &Flow, number: u64, item: &Item) {
        self.notes.lock().messages += 1;
        if *item != flow.message(number) {
            let Item { number: other, payload } = item;
            let text = format!("number {other} of {} bytes came as {number}", payload.len());
            self.notes.wrong(text);
        }
    }

    fn waited(&self, begun: Instant) {
        let mut notes = self.notes.lock();
        notes.longest = notes.longest.max(begun.elapsed());
    }

    fn stuck(&self, who: &str) -> Status {
        let text =
            format!("{who} at node {} came no further in {:?}", self.number, Tangle::PATIENCE);
        self.notes.wrong(text.clone());
        Status::internal(text)
    }

    fn channel(&self, to: u8) -> Channel {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels[usize::from(to) - 1].clone()
    }

    /// What a stream begins with: the plan's number, how often it may be passed on, and where it
    /// comes from.
    fn first(&self, plan: Plan) -> Item {
        let mut payload = plan.key.to_be_bytes().to_vec();
        payload.extend([2, self.number]);
        Item { number: -1, payload }
    }

    fn plan_of(&self, first: &Item) -> (Plan, u8) {
        let (key, rest) = first.payload.split_at(8);
        let key = u64::from_be_bytes(key.try_into().expect("it is a plan's number"));
        (Plan::of(key, self.bytes_max), rest[1])
    }
}

fn result(end: End) -> Result<(), Status> {
    match end {
        End::Done => Ok(()),
        End::Failed(status) => Err(status),
        End::Stuck => Err(Status::internal("somebody is stuck")),
    }
}

/// How a handler ends.
fn ended(end: End) -> Result<(), Status> {
    match end {
        // Its caller has gone.
        End::Failed(_) | End::Done => Ok(()),
        End::Stuck => Err(Status::internal("somebody is stuck")),
    }
}

fn item(number: i64) -> Item {
    Item { number, payload: Vec::new() }
}
