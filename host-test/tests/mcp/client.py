"""What the official Python client finds: `client.py MODE URL`, or `client.py MODE COMMAND ARGUMENT...` for stdio.

Prints one JSON object; any trouble is an exception.
"""

import asyncio
import json
import sys

from mcp import Client, StdioServerParameters
from mcp import types

mode, target, *arguments = sys.argv[1:]
server = target if target.startswith("http") else StdioServerParameters(command=target, args=arguments)


async def answer(_context, params):
    assert params.message == "What is your name?", params
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def main():
    progress = []

    async def on_progress(done, total, message):
        progress.append(done)

    async with Client(server, mode=mode, elicitation_callback=answer) as client:
        tools = await client.list_tools()
        text = await client.call_tool("test_simple_text")
        slow = await client.call_tool("test_tool_with_progress", progress_callback=on_progress)
        asked = await client.call_tool("test_input_required_result_elicitation")
        failed = await client.call_tool("test_error_handling")
        resource = await client.read_resource("test://static-text")
        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        calls = [client.call_tool("test_simple_text") for _ in range(50)]
        many = await asyncio.gather(*calls)
        found = {
            "revision": client.protocol_version,
            "tools": len(tools.tools),
            "text": text.content[0].text,
            "progress": progress,
            "slow": not slow.is_error,
            "asked": asked.content[0].text,
            "failed": failed.is_error,
            "resource": resource.contents[0].text,
            "prompt": prompt.messages[0].content.text,
            "many": sum(result.content == text.content for result in many),
        }
    print(json.dumps(found))


asyncio.run(main())
