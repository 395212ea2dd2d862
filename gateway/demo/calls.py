"""Makes LiteLLM calls whose usage LiteLLM's own `lago` callback reports; runs in a child process.

It reads a JSON array of calls from standard input and writes one line of JSON per call. It needs
nothing but LiteLLM, so any interpreter that has it can run this file by its path. Where usage goes
is said by the `LAGO_API_*` variables (`docs/rules/connectors-litellm.md` 1.3); `mock_response`
keeps it off the network.
"""

import importlib
import json
import sys
from typing import Any

API_KEY = "sk-not-used"


def main() -> None:
    """Make all calls; ends only after LiteLLM's callback threads have sent everything."""
    # by name: whoever checks this file's types need not have it installed
    litellm: Any = importlib.import_module("litellm")
    litellm.callbacks = ["lago"]
    litellm.telemetry = False
    for call in json.load(sys.stdin):
        usage = answer(litellm, call)
        line = {
            "customer": call["customer"],
            "model": call["model"],
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def answer(litellm: Any, call: dict[str, Any]) -> Any:
    """Make one call and return its usage; a stream's tokens are counted by LiteLLM itself."""
    asked = {
        "model": call["model"],
        "api_key": API_KEY,
        "messages": [{"role": "user", "content": call["question"]}],
        # where the proxy would put whose key it was
        "metadata": {"user_api_key_user_id": call["customer"]},
    }
    if "prompt_tokens" not in call:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = litellm.completion(**asked, **options, mock_response=call["answer"])
        return [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)][-1]
    message = {"role": "assistant", "content": call["answer"]}
    prompt, completion = call["prompt_tokens"], call["completion_tokens"]
    response = {
        "model": call["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }
    return litellm.completion(**asked, mock_response=response).usage


if __name__ == "__main__":
    main()
