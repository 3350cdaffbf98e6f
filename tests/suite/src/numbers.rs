//! [`Numbers`]: one method of each shape.

use broach_core::{Context, Receiver, Sender, Status};

use crate::broach::testing::v1::{self, Number, NumbersServer};

/// Counts and adds up. A negative number is refused with `OUT_OF_RANGE`.
#[derive(Clone, Copy, Debug)]
pub struct Numbers;

impl Numbers {
    /// The service, ready to be served.
    pub fn server(self) -> NumbersServer<Self> {
        NumbersServer::new(self)
    }
}

#[broach_core::async_trait]
impl v1::Numbers for Numbers {
    async fn next(&self, _: Context, number: Number) -> Result<Number, Status> {
        Ok(Number { value: checked(number)? + 1 })
    }

    async fn count(
        &self,
        cx: Context,
        number: Number,
        mut replies: Sender<Number>,
    ) -> Result<(), Status> {
        cx.set_reply_metadata("counting", "up")
            .map_err(|error| Status::internal(error.to_string()))?;
        for value in 1..=checked(number)? {
            replies.send(Number { value }).await?;
        }
        Ok(())
    }

    async fn sum(&self, _: Context, mut requests: Receiver<Number>) -> Result<Number, Status> {
        let mut value = 0;
        while let Some(number) = requests.message().await? {
            value += checked(number)?;
        }
        Ok(Number { value })
    }

    async fn sums(
        &self,
        _: Context,
        mut requests: Receiver<Number>,
        mut replies: Sender<Number>,
    ) -> Result<(), Status> {
        let mut value = 0;
        while let Some(number) = requests.message().await? {
            value += checked(number)?;
            replies.send(Number { value }).await?;
        }
        Ok(())
    }
}

fn checked(number: Number) -> Result<i64, Status> {
    match number.value {
        value if value < 0 => Err(Status::out_of_range(format!("{value} is below 0"))),
        value => Ok(value),
    }
}
