//! What components have: asked for at start, and when they say that it changed.

use std::rc::Rc;
use std::time::Duration;

use mainstay_mcp_core::catalogue::Kind;
use mainstay_mcp_core::engine::Changed;
use mainstay_runtime::callback::Callbacks;

use crate::component::Components;
use crate::convert;
use crate::hub::Hub;
use crate::types::Failure;

/// Why nothing new is offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOffered {
    /// A component did not answer, or said that it cannot: it may the next time.
    #[error("{0}")]
    Failed(String),
    /// What components have cannot be offered, as two tools of one name cannot: asking again does not mend it.
    #[error("{0}")]
    Wrong(String),
}

/// Asks the components what they have.
#[derive(Debug)]
pub(crate) struct Asker<C> {
    hub: Rc<Hub>,
    components: Rc<C>,
    callbacks: Callbacks,
    timeout: Duration,
    /// One after the other, so that the newest answer stands.
    asking: tokio::sync::Mutex<()>,
}

impl<C: Components> Asker<C> {
    pub(crate) fn new(hub: Rc<Hub>, components: Rc<C>, callbacks: Callbacks, timeout: Duration) -> Self {
        Self {
            hub,
            components,
            callbacks,
            timeout,
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// Asks for everything, and offers it to clients from then on.
    ///
    /// # Errors
    /// Nothing new is offered: what was offered before stands.
    pub(crate) async fn ask(&self) -> Result<(), NotOffered> {
        let _one = self.asking.lock().await;
        let tools = self.list("tools", self.components.list_tools()).await?;
        let resources = self.list("resources", self.components.list_resources()).await?;
        let prompts = self.list("prompts", self.components.list_prompts()).await?;
        let completions = self.callbacks.call(self.timeout, self.components.completes()).await;
        let completions =
            completions.map_err(|error| NotOffered::Failed(format!("mainstay:mcp/completions: {error}")))?;
        let (offer, problems) = convert::offer(tools, resources, prompts, completions);
        let (more, counts) = self.hub.with(|engine| {
            let problems = engine.offer(offer);
            let count = |kind| engine.catalogue().count(kind);
            (
                problems,
                [Kind::Tools, Kind::Resources, Kind::Templates, Kind::Prompts].map(count),
            )
        });
        for problem in problems.into_iter().chain(more) {
            tracing::warn!("{problem}");
        }
        let [tools, resources, templates, prompts] = counts;
        tracing::info!(tools, resources, templates, prompts, "offered");
        Ok(())
    }

    /// A component says that a list changed: it is asked again, and then clients are told.
    ///
    /// # Errors
    /// As [`Asker::ask`].
    pub(crate) async fn changed(&self, what: Changed) -> Result<(), NotOffered> {
        self.ask().await?;
        self.hub.with(|engine| engine.changed(what));
        Ok(())
    }

    async fn list<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, Failure>> + 'static,
    ) -> Result<T, NotOffered> {
        let told = |message: &dyn std::fmt::Display| format!("mainstay:mcp/{what} cannot list: {message}");
        match self.callbacks.call(self.timeout, call).await {
            Ok(Ok(list)) => Ok(list),
            Ok(Err(Failure::Invalid(message))) => Err(NotOffered::Wrong(told(&message))),
            Ok(Err(Failure::Broken(message))) => Err(NotOffered::Failed(told(&message))),
            Err(error) => Err(NotOffered::Failed(told(&error))),
        }
    }
}
