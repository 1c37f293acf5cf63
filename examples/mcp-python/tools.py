"""Tools in Python. An instance lives for one call, and arguments have been checked against the schemas when they come."""

import json

from wit_world import exports
from wit_world.exports.tools import Outcome, Outcome_Done, Outcome_NotMine, Tool, ToolResult
from wit_world.imports.types import Block_Text, Caller, Content, Input

TOOLS = [
    Tool(
        name="count-words",
        title=None,
        description="Counts the words of a text.",
        input_schema=json.dumps(
            {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        ),
        output_schema=json.dumps(
            {"type": "object", "properties": {"words": {"type": "integer"}}, "required": ["words"]}
        ),
        hints=None,
        icons=[],
        meta=None,
        needs_tasks=False,
    )
]


class Tools(exports.Tools):
    async def list_tools(self) -> list[Tool]:
        return TOOLS

    async def call_tool(self, name: str, arguments: str, input: Input, caller: Caller) -> Outcome:
        """A failure is raised: `componentize_py_types.Err(Failure_Invalid("why"))`."""
        if name != "count-words":
            return Outcome_NotMine()
        words = len(json.loads(arguments)["text"].split())
        return done(str(words), {"words": words})


def done(text: str, structured: dict) -> Outcome:
    content = Content(Block_Text(text), annotations=None, meta=None)
    return Outcome_Done(ToolResult([content], json.dumps(structured), is_error=False, meta=None))
