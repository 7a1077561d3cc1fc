//! host.rs - an actor made of a start and a handler, so that a row is as long as what it does.
//!
//! The closures are types of their own: no call is indirect that would not be so in an actor written
//! by hand. An actor that starts another one does not wait until that runs (`spawn_instant`).

use std::marker::PhantomData;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, ActorRuntime, Message};

pub enum Next {
    Go,
    End,
    Fail,
}

pub struct Host<M, S, H>(PhantomData<fn(M, S, H)>);

impl<M, S, H> Actor for Host<M, S, H>
where
    M: Message,
    S: FnOnce(&ActorRef<M>) -> Next + Send + 'static,
    H: FnMut(&ActorRef<M>, M) -> Next + Send + 'static,
{
    type Msg = M;
    type State = H;
    type Arguments = (S, H);

    async fn pre_start(
        &self,
        myself: ActorRef<M>,
        (start, handle): (S, H),
    ) -> Result<H, ActorProcessingErr> {
        if let Next::End = start(&myself) {
            myself.stop(None);
        }
        Ok(handle)
    }

    async fn handle(
        &self,
        myself: ActorRef<M>,
        message: M,
        handle: &mut H,
    ) -> Result<(), ActorProcessingErr> {
        match handle(&myself, message) {
            Next::Go => Ok(()),
            Next::End => {
                myself.stop(None);
                Ok(())
            }
            Next::Fail => Err("failed".into()),
        }
    }
}

pub fn spawn<M, S, H>(start: S, handle: H) -> ActorRef<M>
where
    M: Message,
    S: FnOnce(&ActorRef<M>) -> Next + Send + 'static,
    H: FnMut(&ActorRef<M>, M) -> Next + Send + 'static,
{
    ActorRuntime::spawn_instant(None, Host(PhantomData), (start, handle)).expect("an actor").0
}

/// Below a supervisor, and only when its start is done.
pub async fn spawn_below<M, S, H>(supervisor: ActorCell, start: S, handle: H) -> ActorRef<M>
where
    M: Message,
    S: FnOnce(&ActorRef<M>) -> Next + Send + 'static,
    H: FnMut(&ActorRef<M>, M) -> Next + Send + 'static,
{
    Actor::spawn_linked(None, Host(PhantomData), (start, handle), supervisor)
        .await
        .expect("a child")
        .0
}

pub fn goes<M>(_: &ActorRef<M>) -> Next {
    Next::Go
}

pub fn send<M: Message>(to: &ActorRef<M>, message: M) {
    if to.send_message(message).is_err() {
        panic!("nobody is there");
    }
}
